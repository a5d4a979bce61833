"""One over the frequency."""

FULL_TURN = 100
