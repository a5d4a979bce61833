"""Derivatives by moving numbers a little, one at a time, and the operations that they are tried on."""

import numpy as np


def case(op, rng):
    """Arguments of an op, float64, and which of them have a derivative."""
    normal = rng.standard_normal
    turn = 0.3 * np.arange(5)[:, None] * np.array([1.0, 0.1])
    return {"linear": lambda: ([normal((2, 3, 4)), normal((4, 5)), normal(5)], (0, 1, 2)),
            "embedding": lambda: ([np.array([[1, 3, 1], [0, 3, 3]]), normal((5, 4))], (1,)),
            "rmsnorm": lambda: ([normal((2, 3, 6)), normal(6), 1e-5], (0, 1)),
            "layernorm": lambda: ([normal((2, 3, 6)), normal(6), normal(6), 1e-5], (0, 1, 2)),
            "softmax": lambda: ([3 * normal((4, 7))], (0,)),
            "rope": lambda: ([normal((2, 5, 4)), np.cos(turn), np.sin(turn)], (0,)),
            "attend": lambda: ([normal((2, 2, 3, 5, 4)), normal((2, 2, 5, 4)), normal((2, 2, 5, 4)), 0], (0, 1, 2)),
            "swiglu": lambda: ([2 * normal((3, 6)), normal((3, 6))], (0, 1)),
            "gelu": lambda: ([2 * normal((3, 6))], (0,)),
            "sigmoid": lambda: ([2 * normal((3, 6))], (0,)),
            "cross_entropy": lambda: ([3 * normal((2, 4, 7)), np.array([[0, 6, 2, 2], [5, 1, 0, -100]])], (0,))}[op]()


def error(mine, other):
    """The largest difference, relative to the largest number."""
    return float(np.max(np.abs(mine - other)) / np.max(np.abs(other)))


def moved(arguments, i, place, by):
    """The arguments with one number of argument i moved."""
    x = arguments[i].astype(type(by) if isinstance(by, complex) else float)
    x[place] += by
    return [*arguments[:i], x, *arguments[i + 1:]]


def central(function, arguments, i, dy, h):
    """(f(x + h) - f(x - h)) / 2h for every number of argument i, times dy."""
    made = np.zeros(arguments[i].shape)
    for place in np.ndindex(made.shape):
        above, below = (function(*moved(arguments, i, place, by)) for by in (h, -h))
        made[place] = np.sum(dy * (above - below)) / (2 * h)
    return made


def one_sided(function, arguments, i, dy, h):
    """(f(x + h) - f(x)) / h."""
    made, here = np.zeros(arguments[i].shape), function(*arguments)
    for place in np.ndindex(made.shape):
        made[place] = np.sum(dy * (function(*moved(arguments, i, place, h)) - here)) / h
    return made


def complex_step(function, arguments, i, dy, h):
    """The imaginary part of f(x + ih), over h: nothing is subtracted, so nothing cancels."""
    made = np.zeros(arguments[i].shape)
    for place in np.ndindex(made.shape):
        made[place] = np.sum(dy * np.imag(function(*moved(arguments, i, place, 1j * h)))) / h
    return made
