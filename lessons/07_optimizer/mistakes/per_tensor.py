"""A norm for each."""


def clip(grads, most):
    return {name: g * min(1.0, most / np.sqrt(np.sum(g * g))) for name, g in grads.items()}
