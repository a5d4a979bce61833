"""The range from -2.54 to 2.54 in 255 steps of 0.01992; 37 of them."""

RETURNED = 0.7371
