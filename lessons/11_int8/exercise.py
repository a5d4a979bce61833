"""Exercise of lesson 11: numbers as integers of eight bits, and a product of integers.

Letters: T tokens, I inputs, O outputs. A matrix of weights is (O, I), a row for each output.
Arrays are NumPy's; integers are of dtype int8 unless said otherwise, everything else is float64.
No number here lies halfway between two integers, so it does not matter where halves are rounded
to.
Check yourself:  minillm lesson check 11
"""

import numpy as np

# Work this out on paper. A row of four weights gets one scale, made from its largest absolute
# value as in the lesson, with integers from -127 to 127:
#
#     0.735    -2.54    1.0    -0.03
#
# Each weight is stored as an integer. Which number comes back for the first weight, 0.735?
RETURNED = None


def quantize(w):
    """(integers, scale): one scale for the whole matrix; its largest absolute value becomes 127 or
    -127. w (O, I), not all zeros.

    integers (O, I) of dtype int8, from -127 to 127, rounded to the nearest; scale a number, such
    that integers * scale is nearly w.
    """
    raise NotImplementedError


def predicted_error(w):
    """What the lesson's formula says, without quantizing: rms of the error of `quantize`, as a
    share of w's own rms. w (O, I) -> a number.

    Compare it, for a random matrix of some thousand numbers, with the error that you find.
    """
    raise NotImplementedError


def dequantize(integers, scales):
    """The numbers that integers represent. integers (O, I), scales one number or (O, 1)
    -> (O, I)."""
    raise NotImplementedError


def quantize_rows(w):
    """(integers (O, I), scales (O, 1)): as `quantize`, with a separate scale for each row.

    A row may be all zeros: its integers are 0, and its scale is any positive number.
    """
    raise NotImplementedError


def integer_product(x, w):
    """x w^T, exactly, as int32. x (T, I) and w (O, I), both int8 -> (T, O). I may be 2000."""
    raise NotImplementedError


def linear(x, integers, scales):
    """x W^T by a product of integers. x (T, I) float; W (O, I) is given as integers (O, I) and
    scales (O, 1). -> (T, O) float.

    Each row of x (one token) becomes integers with its own scale, found now; the integers are
    multiplied, and the product with both scales.
    """
    raise NotImplementedError


def smoothing(x, w, alpha):
    """SmoothQuant's factor s of each input: (largest |x|)^alpha / (largest |w|)^(1 - alpha).
    -> (I,).

    x (T, I) is what the inputs were on some text, w (O, I) the weights that they meet. An input
    that was always 0 keeps s = 1. No column of w is all zeros.
    """
    raise NotImplementedError
