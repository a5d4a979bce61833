"""5/8 divided by four tokens."""

BITS = 0.15625
