"""The integer, not what it stands for."""

RETURNED = 37
