"""The embedding counted once more as the head."""

PARAMETERS = 2984
