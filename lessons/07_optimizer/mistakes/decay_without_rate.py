"""The decay outside the brackets."""


def adamw(params, grads, means, squares, step, rate, beta1, beta2, eps, decay):
    new_params, new_means, new_squares = {}, {}, {}
    for name, w in params.items():
        direction, new_means[name], new_squares[name] = adam(grads[name], means[name], squares[name], step, beta1, beta2, eps)
        new_params[name] = w - rate * direction - (decay * w if w.ndim == 2 else 0)
    return new_params, new_means, new_squares
