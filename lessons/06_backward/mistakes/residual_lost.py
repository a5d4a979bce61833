"""The way through the norm alone."""

FIRST = 1.82
