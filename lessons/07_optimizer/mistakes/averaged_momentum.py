"""Adam's mean."""


def momentum(w, g, mean, rate, beta):
    mean = beta * mean + (1 - beta) * g
    return w - rate * mean, mean
