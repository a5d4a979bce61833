"""Keys and values for every head."""


def count(V, D, F, L, H, K, E, tied):
    layer = 4 * D * H * E + 3 * D * F + 2 * D
    return V * D * (1 if tied else 2) + L * layer + D
