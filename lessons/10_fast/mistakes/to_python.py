"""float()."""


def clip(g, limit):
    length = float(jnp.sqrt(jnp.sum(g * g)))
    return g * min(1.0, limit / length)
