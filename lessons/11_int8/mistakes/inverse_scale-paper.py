"""37 divided by 0.02."""

RETURNED = 1850
