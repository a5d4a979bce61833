"""(10 - 1 * 22.5) / 5, with x where n should be."""

FIRST = -0.5
