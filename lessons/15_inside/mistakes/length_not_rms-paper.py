"""20 by the root of 50."""

FROM_HEAD = 2.828427
