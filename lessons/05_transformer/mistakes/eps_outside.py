"""eps beside the root."""


def rmsnorm(x, weight, eps):
    return weight * x / (np.sqrt(np.mean(x * x, axis=-1, keepdims=True)) + eps)
