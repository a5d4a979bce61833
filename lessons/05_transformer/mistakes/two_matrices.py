"""Up and down alone."""


def count(V, D, F, L, H, K, E, tied):
    layer = 2 * D * H * E + 2 * D * K * E + 2 * D * F + 2 * D
    return V * D * (1 if tied else 2) + L * layer + D
