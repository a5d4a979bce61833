"""argsort without the minus."""


def top_p(p, threshold):
    order = np.argsort(p)
    chosen = order[np.cumsum(p[order]) - p[order] < threshold]
    kept = np.zeros_like(p)
    kept[chosen] = p[chosen]
    return kept / np.sum(kept)
