"""2.54 / 128 is 0.01984; 0.735 is 37 of these."""

RETURNED = 0.73422
