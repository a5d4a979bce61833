"""Tokens per byte."""

BYTES_PER_TOKEN = 8 / 14
