"""The second token looks at the first alone."""

SECOND = 8
