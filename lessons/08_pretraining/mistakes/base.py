"""The logarithm to base 2."""

LOSS_AT_START = 9.0
