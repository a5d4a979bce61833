"""The law of loss by size and data, L(N, D) = E + A / N^a + B / D^b, fitted to runs.

N counts parameters without the embedding, D tokens; L and E are nats a token. A law is an array
(E, A, B, a, b). Source: arXiv:2203.15556, section 3.3 and appendix D.3.
"""

import numpy as np

from minillm.errors import UserError

DELTA = 1e-3  # where the Huber loss turns from a square into a line, in log loss
STARTS = [(e, a, b, alpha, beta) for e in (-1.0, 0.5) for a in (0.0, 5.0) for b in (0.0, 5.0)
          for alpha in (0.2, 0.8) for beta in (0.2, 0.8)]
# Of log E, log A, log B, a, b. Beyond, a term is 0 or a constant, and only its product is fixed.
LOWEST, HIGHEST = (-20.0, -20.0, -20.0, 0.0, 0.0), (5.0, 30.0, 30.0, 2.0, 2.0)


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

    Exponents are between 0 and 2, and E is at least exp(-20), which is none.
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
        moved = np.clip(theta - step, LOWEST, HIGHEST)
        after = huber(moved, N, D, loss, delta)[0]
        if after < total:
            small = total - after < 1e-13 * total
            theta, total, damping = moved, after, max(damping / 5, 1e-15)
            if small or total < 1e-28:
                break
        else:
            damping *= 4
            if damping > 1e12:
                break
    return total, theta


def bootstrap(N, D, loss, samples, rng):
    """Laws (samples, 5) fitted to losses of the same runs drawn anew: their spread is the interval.

        log L* = log L(N, D) + sqrt(R / (R - 5)) r*

    L is the law of the R runs, r* its residuals in log loss, drawn with replacement; the root makes
    up for the five constants that shrank them (Efron and Tibshirani 1993, An Introduction to the
    Bootstrap, section 9.4). The runs themselves are not drawn: some draws would hold five different
    ones, which five constants fit exactly. Raises UserError for fewer than 6 runs.
    """
    if len(N) < 6:
        raise UserError(f"runs: {len(N)}, five constants leave no residual: train more models")
    law = fit(N, D, loss)
    begin = [(*np.log(law[:3]), *law[3:]), *STARTS[::8]]
    expected = predict(law, N, D)
    residuals = np.log(np.asarray(loss, float) / expected) * (len(N) / (len(N) - 5)) ** 0.5
    drawn = residuals[rng.integers(len(N), size=(samples, len(N)))]
    return np.array([fit(N, D, expected * np.exp(one), begin) for one in drawn])


def frontier(law, compute):
    """(N*, D*) that minimise L where 6 N D = compute, in closed form (equation 4)."""
    _, A, B, a, b = law
    G = (a * A / (b * B)) ** (1 / (a + b))
    C = np.asarray(compute, float) / 6
    return G * C ** (b / (a + b)), C ** (a / (a + b)) / G
