"""0.5 w taken off in each step."""

WEIGHT = 0.95
