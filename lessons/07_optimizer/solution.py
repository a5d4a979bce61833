"""Lesson 07, the reference solution."""

import numpy as np

WEIGHT = 3.27  # directions -1 and 3/4: 4 - 0.2 (-1 + 2) = 3.8, then 3.8 - 0.2 (0.75 + 1.9)


def momentum(w, g, mean, rate, beta):
    mean = beta * mean + g
    return w - rate * mean, mean


def adam(g, mean, square, step, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * g * g
    t = step + 1
    return mean / (1 - beta1**t) / (np.sqrt(square / (1 - beta2**t)) + eps), mean, square


def adamw(params, grads, means, squares, step, rate, beta1, beta2, eps, decay):
    new_params, new_means, new_squares = {}, {}, {}
    for name, w in params.items():
        direction, new_means[name], new_squares[name] = adam(
            grads[name], means[name], squares[name], step, beta1, beta2, eps
        )
        if w.ndim == 2:
            direction = direction + decay * w
        new_params[name] = w - rate * direction
    return new_params, new_means, new_squares


def clip(grads, most):
    norm = np.sqrt(sum(np.sum(g * g) for g in grads.values()))
    factor = min(1.0, most / norm)
    return {name: g * factor for name, g in grads.items()}


def schedule(step, steps, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / (steps - 1 - warmup)
    return final + (1 - final) * 0.5 * (1 + np.cos(np.pi * progress))
