"""Plus."""


def momentum(w, g, mean, rate, beta):
    mean = beta * mean + g
    return w + rate * mean, mean
