"""Adam."""

WEIGHT = 4.05
