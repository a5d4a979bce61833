"""Natural logarithms."""

BITS = 0.4332
