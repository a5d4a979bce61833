"""1.6 of 4."""

FROM_ANN = 0.4
