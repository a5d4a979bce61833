"""No axis."""


def rmsnorm(x, weight, eps):
    return weight * x / np.sqrt(np.mean(x * x) + eps)
