"""Matrices alone."""

PARAMETERS = 2144
