"""The sum in the order of the vocabulary."""


def top_p(p, threshold):
    before = np.cumsum(p) - p
    kept = np.where(before < threshold, p, 0)
    return kept / np.sum(kept)
