"""Exercise of lesson 12: four bits: two integers in a byte, scales for groups, a zero point, and
the two steps that GPTQ is made of.

Letters: O outputs, I inputs, G groups of a row. A matrix of weights is (O, I), a row for each
output. Arrays are NumPy's, float64 unless said otherwise. No number here lies halfway between two
integers.
Check yourself:  minillm lesson check 12
"""

import numpy as np

# Work this out on paper. A matrix has 1000 rows of 4096 weights. Each weight is an integer of 3
# bits; each group of 128 weights of a row has a scale of 16 bits and a zero point of 8 bits. How
# many bits per weight is that in all?
BITS = None


def pack(integers):
    """Two integers in a byte. integers (O, I) int8, from -8 to 7, I even -> uint8 (O, I / 2).

    Byte k of a row holds integer 2k in its low four bits and integer 2k + 1 in its high four bits,
    each in two's complement: its last four bits as they are in an int8.
    """
    raise NotImplementedError


def unpack(packed):
    """The inverse of pack. packed (O, n) uint8 -> int8 (O, 2n), from -8 to 7."""
    raise NotImplementedError


def quantize_groups(w):
    """(integers, scales): round to -7 ... 7 with a scale for each group of 32 numbers of a row. w
    (O, I) -> int8 (O, I), float (O, G).

    scale = largest absolute value of the group / 7. Where 32 does not divide I, a row ends in a
    shorter group: G = I / 32, rounded up. No group is all zeros.
    """
    raise NotImplementedError


def quantize_with_zero(w):
    """(integers int8 (O, I), scales (O, 1), zeros (O, 1)): from -8 to 7 in each row; w is nearly
    scales * (integers - zeros).

    low and high are the row's smallest and largest number; but 0 must be among the numbers that
    can be stored, so low is at most 0 and high at least 0. scale = (high - low) / 15. zero is the
    integer that represents 0: round(-8 - low / scale). integer = round(w / scale) + zero. No row
    is all zeros.
    """
    raise NotImplementedError


def factor(H, damping):
    """U, upper triangular with a positive diagonal, such that U^T U is the inverse of the damped
    H. H (I, I) -> (I, I).

    H = X^T X of calibration inputs; damped: damping times the mean of H's diagonal is added to its
    diagonal.
    """
    raise NotImplementedError


def compensate(w, U, i, scales):
    """(integers (O,) int8, w (O, I)): one step of GPTQ. Column i of w is rounded; the columns
    after it make up for the error.

    integer = round(w_i / scale), kept within -7 ... 7, scales (O, 1). The error is w_i - scale *
    integer. In the w that comes back, column i is scale * integer, each column j > i has moved by
    -(error / U_ii) U_ij, and the columns before i are as they were. The w that came in is left
    alone.
    """
    raise NotImplementedError
