"""Only the mean corrected."""

WEIGHT = 3.3371
