"""The weights 1/10 and 9/10, from scores that nobody divided."""

SECOND = 4.4
