"""Plus."""


def descend(loss, params, example, rate):
    value, gradient = jax.value_and_grad(loss)(params, example)
    return value, jax.tree.map(lambda w, g: w + rate * g, params, gradient)
