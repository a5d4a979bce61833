"""Averages 1/p."""

PERPLEXITY = (2 + 4 + 8 + 8) / 4
