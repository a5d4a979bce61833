"""The moments as they are."""


def adam(g, mean, square, step, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * g * g
    t = step + 1
    return mean / (np.sqrt(square) + eps), mean, square
