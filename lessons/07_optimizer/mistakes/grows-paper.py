"""The decay with a plus."""

WEIGHT = 4.91
