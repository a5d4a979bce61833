"""dy @ w."""


def linear_backward(dy, x, w, b):
    dx = dy @ w
    rows_x, rows_dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    return dx, rows_x.T @ rows_dy, rows_dy.sum(axis=0)
