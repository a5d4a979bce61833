"""Where it looks is where it comes from."""

FROM_ANN = 0.2
