"""Square roots instead of squares."""

PROBABILITY = 3**0.5 / (2 + 3**0.5 + 2**0.5)
