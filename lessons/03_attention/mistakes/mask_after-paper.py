"""The weights 1/8 and 3/8; half of the attention is lost."""

SECOND = 2.5
