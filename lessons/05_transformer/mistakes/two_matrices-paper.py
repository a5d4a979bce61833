"""320 instead of 480 a layer."""

PARAMETERS = 1864
