"""The law of loss by size and data, L(N, D) = E + A / N^a + B / D^b, fitted to runs.

N counts parameters without the embedding, D tokens; L and E are nats a token. A law is an array
(E, A, B, a, b). Source: arXiv:2203.15556, section 3.3 and appendix D.3.
"""

import numpy as np

from minillm.errors import UserError

DELTA = 1e-3  # where the Huber loss turns from a square into a line, in log loss
STARTS = [(e, a, b, alpha, beta) for e in (-1.0, 0.5) for a in (0.0, 5.0) for b in (0.0, 5.0)
          for alpha in (0.2, 0.8) for beta in (0.2, 0.8)]


def predict(law, N, D):
    """L(N, D) = E + A / N^a + B / D^b in nats a token."""
    E, A, B, a, b = law
    return E + A / np.asarray(N, float) ** a + B / np.asarray(D, float) ** b


def log_loss(theta, N, D):
    """(log L, its derivative (R, 5)) for R runs; theta = (log E, log A, log B, a, b)."""
    e, a, b, alpha, beta = theta
    log_N, log_D = np.log(N), np.log(D)
    terms = np.stack([np.full(len(N), e), a - alpha * log_N, b - beta * log_D], axis=1)
    top = terms.max(axis=1, keepdims=True)
    total = top[:, 0] + np.log(np.exp(terms - top).sum(axis=1))
    share = np.exp(terms - total[:, None])  # of each term in L
    slopes = np.stack([-share[:, 1] * log_N, -share[:, 2] * log_D], axis=1)
    return total, np.concatenate([share, slopes], axis=1)


def huber(theta, N, D, loss, delta=DELTA):
    """(sum over runs of Huber(log L(N, D) - log loss), its gradient (5,))."""
    value, slope = log_loss(theta, N, D)
    r = value - np.log(loss)
    size = np.abs(r)
    total = np.where(size <= delta, r**2 / 2, delta * (size - delta / 2)).sum()
    return float(total), np.clip(r, -delta, delta) @ slope


def fit(N, D, loss, starts=STARTS, delta=DELTA):
    """The law (E, A, B, a, b) with the least Huber loss on logs, the best of several starts.

    Raises UserError for fewer than 5 runs, or numbers that are not positive.
    """
    N, D, loss = (np.asarray(x, float) for x in (N, D, loss))
    if len(N) < 5:
        raise UserError(f"runs: {len(N)}, five constants need at least 5: train more models")
    if not all(np.all(np.isfinite(x) & (x > 0)) for x in (N, D, loss)):
        raise UserError("runs: N, D and loss must be finite and above 0: leave out failed runs")
    best = min((_descend(np.array(start, float), N, D, loss, delta) for start in starts),
               key=lambda found: found[0])[1]
    return np.array([*np.exp(best[:3]), *best[3:]])


def _descend(theta, N, D, loss, delta, steps=300):
    """Levenberg-Marquardt on reweighted squares: (Huber loss, theta)."""
    total, damping = huber(theta, N, D, loss, delta)[0], 1e-2
    for _ in range(steps):
        value, slope = log_loss(theta, N, D)
        r = value - np.log(loss)
        weight = delta / np.maximum(np.abs(r), delta)
        curve = slope.T @ (weight[:, None] * slope)
        scale = np.diag(curve) + 1e-12
        step = np.linalg.solve(curve + damping * np.diag(scale), slope.T @ (weight * r))
        with np.errstate(over="ignore", invalid="ignore"):
            after = huber(theta - step, N, D, loss, delta)[0]
        if after < total:
            small = total - after < 1e-13 * total
            theta, total, damping = theta - step, after, max(damping / 5, 1e-15)
            if small or total < 1e-28:
                break
        else:
            damping *= 4
            if damping > 1e12:
                break
    return total, theta


def bootstrap(N, D, loss, samples, rng):
    """Laws (samples, 5) fitted to runs drawn with replacement: their spread is the interval.

    A draw with fewer than 5 different runs is drawn again. Each fit starts at the law of all runs
    and at some of STARTS: where E is near 0, its logarithm has no slope to come back by.
    """
    N, D, loss = (np.asarray(x, float) for x in (N, D, loss))
    law, laws = fit(N, D, loss), []
    start = [(*np.log(law[:3]), *law[3:]), *STARTS[::8]]
    while len(laws) < samples:
        drawn = rng.integers(len(N), size=len(N))
        if len(set(drawn.tolist())) >= 5:
            laws.append(fit(N[drawn], D[drawn], loss[drawn], start))
    return np.array(laws)


def frontier(law, compute):
    """(N*, D*) that minimise L where 6 N D = compute, in closed form (equation 4)."""
    _, A, B, a, b = law
    G = (a * A / (b * B)) ** (1 / (a + b))
    C = np.asarray(compute, float) / 6
    return G * C ** (b / (a + b)), C ** (a / (a + b)) / G
