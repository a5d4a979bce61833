"""jnp.clip."""


def clip(g, limit):
    return jnp.clip(g, -limit, limit)
