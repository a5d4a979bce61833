"""Exact, and wider than asked for."""


def integer_product(x, w):
    return x.astype(np.int64) @ w.astype(np.int64).T
