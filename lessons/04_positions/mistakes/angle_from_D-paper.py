"""10000^(-6/8), the slowest pair of a head of 8."""

FULL_TURN = 6283.2
