"""Characters per token instead of bytes per token."""

BYTES_PER_TOKEN = 11 / 8
