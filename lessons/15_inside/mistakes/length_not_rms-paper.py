"""30 by the root of 200."""

FROM_HEAD = 2.12132
