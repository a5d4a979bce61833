"""Counts each different word once."""


def pair_counts(words):
    counts = Counter()
    for word in words:
        counts.update(pairwise(word))
    return counts
