"""NumPy multiplies int8 in int8."""


def integer_product(x, w):
    return (x @ w.T).astype(np.int32)
