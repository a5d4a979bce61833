"""Axis 0: the mean over the tokens."""


def rmsnorm(x, weight, eps):
    return weight * x / np.sqrt(np.mean(x * x, axis=0) + eps)
