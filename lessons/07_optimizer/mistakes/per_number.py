"""np.clip."""


def clip(grads, most):
    return {name: np.clip(g, -most, most) for name, g in grads.items()}
