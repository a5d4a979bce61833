"""Three bits are three bits."""

BITS = 3
