"""db is dy as it is."""


def linear_backward(dy, x, w, b):
    return dy @ w.T, x.reshape(-1, x.shape[-1]).T @ dy.reshape(-1, dy.shape[-1]), dy
