"""Both numbers."""

FIRST = (3.82, 4.74)
