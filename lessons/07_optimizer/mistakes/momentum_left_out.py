"""Plain gradient descent, with a mean beside it."""


def momentum(w, g, mean, rate, beta):
    mean = beta * mean + g
    return w - rate * g, mean
