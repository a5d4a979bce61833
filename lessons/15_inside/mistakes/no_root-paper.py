"""20 by 25."""

FROM_HEAD = 0.8
