"""16/30 is below 0.8, 25/30 is above: only A is left."""

PROBABILITY = 0.0
