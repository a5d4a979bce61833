"""Adds alpha to the sum once, not V times."""


def bigram_probabilities(counts, alpha):
    return (counts + alpha) / (counts.sum(axis=1, keepdims=True) + alpha)
