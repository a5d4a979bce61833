"""Divides by 4 instead of 2: the weights are 1 : sqrt(3)."""

SECOND = 5.4641
