"""As if scale were the variance."""


def noisy(key, xs, scale):
    return [x + jnp.sqrt(scale) * jax.random.normal(k, x.shape) for k, x in zip(jax.random.split(key, len(xs)), xs)]
