"""36.75 cut off to 36."""

RETURNED = 0.72
