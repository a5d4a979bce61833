"""dn = dy."""

FIRST = 2.252
