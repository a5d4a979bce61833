"""np.linalg.norm."""


def clip(g, limit):
    return g * jnp.minimum(1, limit / np.linalg.norm(g))
