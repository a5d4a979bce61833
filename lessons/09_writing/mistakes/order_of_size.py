"""Zeroes behind, in sorted order."""


def top_p(p, threshold):
    p = np.sort(p)[::-1]
    kept = np.where(np.cumsum(p) - p < threshold, p, 0)
    return kept / np.sum(kept)
