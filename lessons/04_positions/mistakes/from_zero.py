"""range(H) instead of range(1, H + 1)."""


def slopes(H):
    return 2.0 ** (-8 * np.arange(H) / H)
