"""HE taken to be D."""


def count(V, D, F, L, H, K, E, tied):
    layer = 2 * D * D + 2 * D * K * E + 3 * D * F + 2 * D
    return V * D * (1 if tied else 2) + L * layer + D
