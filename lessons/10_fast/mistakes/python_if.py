"""A branch."""


def clip(g, limit):
    length = jnp.linalg.norm(g)
    if length > limit:
        g = g * limit / length
    return g
