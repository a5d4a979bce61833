"""The number of choices."""

LOSS_AT_START = 512
