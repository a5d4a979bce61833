"""tied is not looked at."""


def count(V, D, F, L, H, K, E, tied):
    layer = 2 * D * H * E + 2 * D * K * E + 3 * D * F + 2 * D
    return V * D + L * layer + D
