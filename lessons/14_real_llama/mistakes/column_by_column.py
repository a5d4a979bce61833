"""3 * 4 + 2 = 14 numbers before it."""

PLACE = 284
