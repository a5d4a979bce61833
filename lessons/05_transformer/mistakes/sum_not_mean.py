"""The length of the row, not its root mean square."""


def rmsnorm(x, weight, eps):
    return weight * x / np.sqrt(np.sum(x * x, axis=-1, keepdims=True) + eps)
