"""Somebody noticed that nothing was left, and kept the first."""


def top_p(p, threshold):
    order = np.argsort(-p)
    upto = np.cumsum(p[order])
    chosen = order[: max(1, np.sum(upto < threshold))]
    kept = np.zeros_like(p)
    kept[chosen] = p[chosen]
    return kept / np.sum(kept)
