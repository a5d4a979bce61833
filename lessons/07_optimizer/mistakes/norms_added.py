"""Norms added up."""


def clip(grads, most):
    norm = sum(np.linalg.norm(g) for g in grads.values())
    return {name: g * min(1.0, most / norm) for name, g in grads.items()}
