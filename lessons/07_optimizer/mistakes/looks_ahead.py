"""Nesterov's momentum."""


def momentum(w, g, mean, rate, beta):
    mean = beta * mean + g
    return w - rate * (beta * mean + g), mean
