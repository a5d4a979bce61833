"""Right answers written another way: each section replaces parts of solution.py."""


# ---- loops ----
# Number by number.
LEAN = 2 * 0.693147


def log_odds(she, he):
    return np.array([sum(np.log(a / b) for a, b in zip(row, other)) / len(row)
                     for row, other in zip(she, he)])


def claimed(she, he, least):
    return np.array([sum(a + b for a, b in zip(row, other)) / len(row) >= least
                     for row, other in zip(she, he)])


def interval(x, y, picks):
    slopes = [np.polyfit(x[pick], y[pick], 1)[0] for pick in picks]
    return np.percentile(slopes, 2.5), np.percentile(slopes, 97.5)


def probe(x, labels, rate, steps):
    design = np.column_stack([x, np.ones(len(x))])
    w = np.zeros(design.shape[1])
    for _ in range(steps):
        p = 0.5 + 0.5 * np.tanh(design @ w / 2)
        w -= rate * np.mean((p - labels)[:, None] * design, axis=0)
    return w[:-1], w[-1]


# ---- whitened ----
# As the paper writes it: whiten, project, colour again.


def erase(x, labels, fitted):
    mean = x[fitted].mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(x[fitted].T, bias=True).reshape(2 * x.shape[1:]))
    whiten = vectors / np.sqrt(values) @ vectors.T
    colour = vectors * np.sqrt(values) @ vectors.T
    u = whiten @ ((x[fitted] - mean).T @ (labels[fitted] - labels[fitted].mean()))
    u = u / np.linalg.norm(u)
    return x - (x - mean) @ whiten.T @ np.outer(u, u) @ colour.T
