"""No root."""


def clip(grads, most):
    norm = sum(np.sum(g * g) for g in grads.values())
    return {name: g * min(1.0, most / norm) for name, g in grads.items()}
