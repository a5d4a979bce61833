"""A key of its own."""


def noisy(key, xs, scale):
    keys = jax.random.split(jax.random.key(0), len(xs))
    return [x + scale * jax.random.normal(k, x.shape) for k, x in zip(keys, xs)]
