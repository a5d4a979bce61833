"""As if the weights were (in, out)."""


def integer_product(x, w):
    return x.astype(np.int32) @ w.astype(np.int32)
