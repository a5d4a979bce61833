"""Moments updated by what is missing; one power for both corrections; decay as a factor; the norm of one long vector; the cosine by its half angle."""

WEIGHT = 3.8 - 0.2 * (3 / 4 + 0.5 * 3.8)


def momentum(w, g, mean, rate, beta):
    rolled = g + beta * mean
    return w - rolled * rate, rolled


def adam(g, mean, square, step, beta1, beta2, eps):
    mean = mean + (1 - beta1) * (g - mean)
    square = square + (1 - beta2) * (np.square(g) - square)
    first, second = 1 - np.power([beta1, beta2], step + 1)
    return mean / first * 1 / (np.sqrt(square) / np.sqrt(second) + eps), mean, square


def adamw(params, grads, means, squares, step, rate, beta1, beta2, eps, decay):
    moved = {name: adam(grads[name], means[name], squares[name], step, beta1, beta2, eps) for name in params}
    shrink = {name: 1 - rate * decay if w.ndim > 1 else 1.0 for name, w in params.items()}
    new = {name: shrink[name] * w - rate * moved[name][0] for name, w in params.items()}
    return new, {name: three[1] for name, three in moved.items()}, {name: three[2] for name, three in moved.items()}


def clip(grads, most):
    norm = np.linalg.norm(np.concatenate([g.ravel() for g in grads.values()]))
    return grads if norm <= most else {name: g / norm * most for name, g in grads.items()}


def schedule(step, steps, warmup, final):
    if step < warmup:
        return 1 - (warmup - 1 - step) / warmup
    return final + (1 - final) * np.cos(np.pi / 2 * (step - warmup) / (steps - 1 - warmup)) ** 2
