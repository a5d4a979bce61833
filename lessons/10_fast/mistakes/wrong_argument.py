"""argnums=1."""


def descend(loss, params, example, rate):
    value, gradient = jax.value_and_grad(loss, argnums=1)(params, example)
    return value, jax.tree.map(lambda w, g: w - rate * g, params, gradient)
