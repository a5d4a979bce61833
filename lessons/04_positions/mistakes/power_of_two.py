"""One formula for every H."""


def slopes(H):
    return np.array([2 ** (-8 * h / H) for h in range(1, H + 1)])
