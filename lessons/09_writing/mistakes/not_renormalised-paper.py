"""9/30 as it was before the cut."""

PROBABILITY = 0.3
