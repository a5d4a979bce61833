"""The root mean square of all numbers."""


def clip(grads, most):
    norm = np.sqrt(np.mean(np.concatenate([g.ravel() for g in grads.values()]) ** 2))
    return {name: g * min(1.0, most / norm) for name, g in grads.items()}
