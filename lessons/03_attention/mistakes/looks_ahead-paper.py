"""All three tokens: (8 + 12 - 32) / 8."""

SECOND = -1.5
