"""The last norm is missing from the sum."""

PARAMETERS = 2176
