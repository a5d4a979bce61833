"""Puts out the old one."""


def averages(xs, beta):
    def one(m, x):
        new = beta * m + (1 - beta) * x
        return new, m

    return jax.lax.scan(one, jnp.zeros_like(xs[0]), xs)[1]
