"""The sum 9 instead of the mean 4.5."""

FIRST = 3.64
