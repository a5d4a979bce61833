"""Divides by the number of all pairs."""


def bigram_probabilities(counts, alpha):
    return (counts + alpha) / (counts + alpha).sum()
