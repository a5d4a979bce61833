"""Only cut off."""


def top_p(p, threshold):
    order = np.argsort(-p)
    upto = np.cumsum(p[order])
    chosen = order[upto - p[order] < threshold]
    kept = np.zeros_like(p)
    kept[chosen] = p[chosen]
    return kept
