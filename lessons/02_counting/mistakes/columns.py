"""Normalises the columns."""


def bigram_probabilities(counts, alpha):
    smoothed = counts + alpha
    return smoothed / smoothed.sum(axis=0)
