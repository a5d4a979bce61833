"""Number by number in plain Python; Adam's rate with both corrections in it, as in the paper's last line of section 2."""

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
