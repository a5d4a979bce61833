"""A, B and C."""

PROBABILITY = 9 / 29
