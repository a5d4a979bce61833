"""Averages the probabilities first."""

PERPLEXITY = 1 / np.mean([1 / 2, 1 / 4, 1 / 8, 1 / 8])
