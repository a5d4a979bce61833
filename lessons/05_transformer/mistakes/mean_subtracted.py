"""LayerNorm without its bias."""


def rmsnorm(x, weight, eps):
    x = x - x.mean(axis=-1, keepdims=True)
    return weight * x / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
