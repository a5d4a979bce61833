"""A Python loop."""


def averages(xs, beta):
    m, rows = jnp.zeros_like(xs[0]), []
    for x in xs:
        m = beta * m + (1 - beta) * x
        rows.append(m)
    return jnp.stack(rows)
