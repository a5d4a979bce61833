"""The largest weight is 1.0, so the step is 1 / 127, and 0.735 is 93 of them."""

RETURNED = 0.73228
