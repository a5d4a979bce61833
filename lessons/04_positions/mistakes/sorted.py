"""Steepest head first."""


def slopes(H):
    below = 2 ** int(np.log2(H))
    first = 2.0 ** (-8 * np.arange(1, below + 1) / below)
    double = 2.0 ** (-8 * np.arange(1, 2 * below + 1) / (2 * below))
    return np.sort(np.concatenate([first, double[::2][: H - below]]))[::-1]
