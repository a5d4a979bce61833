"""The token that crosses, and one more."""


def top_p(p, threshold):
    order = np.argsort(-p)
    upto = np.cumsum(p[order])
    chosen = order[: np.sum(upto < threshold) + 2]
    kept = np.zeros_like(p)
    kept[chosen] = p[chosen]
    return kept / np.sum(kept)
