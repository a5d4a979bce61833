"""Divided and made to add up to 1 again: .4 .3 .2 .1, of which three reach 0.8."""

PROBABILITY = 3 / 9
