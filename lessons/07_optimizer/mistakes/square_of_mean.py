"""The mean squared."""


def adam(g, mean, square, step, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * mean * mean
    t = step + 1
    return mean / (1 - beta1**t) / (np.sqrt(square / (1 - beta2**t)) + eps), mean, square
