"""Computes the loss at the end."""


def descend(loss, params, example, rate):
    gradient = jax.grad(loss)(params, example)
    params = {name: params[name] - rate * gradient[name] for name in params}
    return loss(params, example), params
