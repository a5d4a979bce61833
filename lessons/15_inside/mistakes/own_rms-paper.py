"""30 by the root of 12.5."""

FROM_HEAD = 8.48528
