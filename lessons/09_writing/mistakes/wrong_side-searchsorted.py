"""NumPy's default side."""


def sample(p, coin):
    return int(np.searchsorted(np.cumsum(p), coin))
