"""20 by the root of 2.5."""

FROM_HEAD = 12.6491
