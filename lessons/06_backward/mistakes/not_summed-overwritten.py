"""A loop over the texts that assigns where it should add."""


def linear_backward(dy, x, w, b):
    for one_x, one_dy in zip(x, dy):
        dw, db = one_x.T @ one_dy, one_dy.sum(axis=0)
    return dy @ w.T, dw, db
