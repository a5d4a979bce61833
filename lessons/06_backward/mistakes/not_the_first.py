"""The second number, 5 + (5 - 1.4 * 4.5) / 5."""

FIRST = 4.74
