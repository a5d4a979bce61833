"""The moments as they are."""

WEIGHT = 3.2417
