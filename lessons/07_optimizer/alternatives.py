"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- by_differences ----
# Moments updated by what is missing; one power for both corrections; decay as a factor; the norm
# of one long vector; the cosine by its half angle.
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


# ---- number_by_number ----
# Number by number in plain Python; Adam's rate with both corrections in it, as in the paper's
# last line of section 2.
from math import cos, pi, sqrt


def each(function, *arrays):
    made = [function(*numbers) for numbers in zip(*(a.ravel().tolist() for a in arrays))]
    return tuple(np.array(part).reshape(arrays[0].shape) for part in zip(*made))


def momentum(w, g, mean, rate, beta):
    def one(w, g, mean):
        mean = beta * mean + g
        return w - rate * mean, mean
    return each(one, w, g, mean)


def adam(g, mean, square, step, beta1, beta2, eps):
    t = step + 1
    root = sqrt(1 - beta2**t)

    def one(g, mean, square):
        mean, square = beta1 * mean + (1 - beta1) * g, beta2 * square + (1 - beta2) * g**2
        return root / (1 - beta1**t) * mean / (sqrt(square) + eps * root), mean, square
    return each(one, g, mean, square)


def clip(grads, most):
    norm = sqrt(sum(float(x) ** 2 for g in grads.values() for x in g.ravel()))
    return {name: g * (most / norm) if norm > most else g * 1.0 for name, g in grads.items()}


def schedule(step, steps, warmup, final):
    shares = [(i + 1) / warmup for i in range(warmup)]
    length = steps - warmup
    shares += [final + (1 - final) * (1 + cos(pi * i / (length - 1))) / 2 for i in range(length)]
    return shares[step]
