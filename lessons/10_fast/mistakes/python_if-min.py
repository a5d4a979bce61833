"""Python's min."""


def clip(g, limit):
    return g * min(1, limit / jnp.sqrt(jnp.sum(g * g)))
