"""2 + (10 - 1 * 4.5) / 5: x for n at one of the two places."""

FIRST = 3.1
