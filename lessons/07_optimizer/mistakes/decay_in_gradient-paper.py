"""The decay added to both gradients."""

WEIGHT = 3.6203
