"""The key in a loop."""


def noisy(key, xs, scale):
    return [x + scale * jax.random.normal(key, x.shape) for x in xs]
