"""math.sqrt."""


def clip(g, limit):
    import math
    return g * jnp.minimum(1, limit / math.sqrt(jnp.sum(g * g)))
