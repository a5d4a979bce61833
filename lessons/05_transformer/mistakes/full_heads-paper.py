"""Four square matrices."""

PARAMETERS = 2312
