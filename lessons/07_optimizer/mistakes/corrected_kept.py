"""The corrected moments take the place of the others."""


def adam(g, mean, square, step, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * g * g
    t = step + 1
    mean, square = mean / (1 - beta1**t), square / (1 - beta2**t)
    return mean / (np.sqrt(square) + eps), mean, square
