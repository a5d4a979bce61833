"""15 numbers of 4 bytes before it."""

PLACE = 316
