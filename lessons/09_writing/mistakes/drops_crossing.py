"""Those whose sum stays below; where there are none, nothing."""


def top_p(p, threshold):
    order = np.argsort(-p)
    chosen = order[np.cumsum(p[order]) <= threshold]
    kept = np.zeros_like(p)
    kept[chosen] = p[chosen]
    with np.errstate(all="ignore"):
        return kept / np.sum(kept)
