"""The direction with a plus."""

WEIGHT = 3.21
