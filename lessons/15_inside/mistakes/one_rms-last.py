"""The divisor of the last layer for all, as attribution would have it."""


def lens(x, weight, head, eps):
    return weight * x / np.sqrt(np.mean(x[-1] ** 2) + eps) @ head
