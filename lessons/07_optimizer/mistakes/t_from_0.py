"""t = step."""


def adam(g, mean, square, step, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * g * g
    t = step
    with np.errstate(all="ignore"):
        return mean / np.float64(1 - beta1**t) / (np.sqrt(square / np.float64(1 - beta2**t)) + eps), mean, square
