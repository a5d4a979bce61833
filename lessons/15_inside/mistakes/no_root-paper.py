"""30 by 100."""

FROM_HEAD = 0.3
