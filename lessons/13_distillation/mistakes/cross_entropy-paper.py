"""The entropy of p, 1.75 bits, was not taken off."""

BITS = 2.375
