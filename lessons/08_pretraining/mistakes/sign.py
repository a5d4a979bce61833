"""ln(1/512), without the minus."""

LOSS_AT_START = -6.238
