"""The right number, as a text."""

FIRST = "3.82"
