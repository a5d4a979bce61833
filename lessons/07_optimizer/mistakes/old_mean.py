"""The step first, the mean afterwards."""


def momentum(w, g, mean, rate, beta):
    return w - rate * mean, beta * mean + g
