"""Splits once, and then uses one of them for all."""


def noisy(key, xs, scale):
    key, noise = jax.random.split(key)
    return jax.tree.map(lambda x: x + scale * jax.random.normal(noise, x.shape), xs)
