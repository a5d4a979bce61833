"""GPTQ: round one input at a time, and let the inputs that are not rounded yet make up for the error.

Rounding to the nearest asks how far each weight moves. What matters is how far the outputs move, on inputs that occur:

    error(Q) = sum over calibration tokens of |x (W - Q)|^2 = trace of (W - Q)^T H (W - Q),    H = X^T X    (I, I)

Take the inputs in their order. When input i of a row is rounded, and the error is w_i - q_i, the best that the later
inputs j > i can do is to move by

    w_j  <-  w_j - (w_i - q_i) / U_ii * U_ij,       U the upper Cholesky factor of H^-1:  H^-1 = U^T U

so row i of U holds, for every later input, how much of an error of input i it can take over. Inputs
beyond the block of BLOCK at hand move once for all of it: one matrix product. Frantar et al. 2022,
arXiv:2210.17323, Algorithm 1; Hassibi and Stork 1992 for the update.
"""

from dataclasses import replace

import numpy as np

from minillm.architecture.quantized import GROUP, Quantized, Scheme
from minillm.in_numpy.quantize import dequantize, fit, pack, to_integers

BLOCK = 128  # inputs, a multiple of GROUP
DAMPING = 0.01  # this share of the mean diagonal is added to H, so that inputs that hardly occur do not divide by nothing


def gptq(w, hessian_II, scheme: Scheme, transposed: bool = True,
         damping: float = DAMPING) -> Quantized:
    """The record of a float matrix, rounded with compensation. `w` and `transposed` as in
    `quantize`, H = X^T X."""
    return compensated(w, compensation(hessian_II, damping), scheme, transposed)


def compensated(w, upper_II, scheme: Scheme, transposed: bool = True) -> Quantized:
    """`gptq` with the factor of `compensation`, which matrices that read the same inputs share."""
    w_IO = np.array(w if transposed else w.T, np.float64, order="C")
    width, size = len(w_IO), GROUP if scheme.scale_per == "group32" else len(w_IO)
    one_row = replace(scheme, scale_per="tensor" if scheme.scale_per == "tensor" else "channel")
    integers_IO, scales, zeros = np.empty(w_IO.shape, np.int8), [], []
    for begin in range(0, width, BLOCK):
        block_BO = w_IO[begin : begin + BLOCK]
        errors_BO = np.empty_like(block_BO)
        for i in range(len(block_BO)):
            # scales of a group fit what its numbers have become
            if (begin + i) % size == 0:
                scale_O1, zero_O1 = fit_group(w_IO[begin + i : begin + i + size].T, scheme)
                scales.append(scale_O1), zeros.append(zero_O1)
            integers_O1 = to_integers(block_BO[i][:, None], scale_O1, zero_O1, one_row)
            integers_IO[begin + i] = integers_O1[:, 0]
            rounded_O1 = scale_O1.astype(np.float64) * (
                integers_O1 - (0.0 if zero_O1 is None else zero_O1.astype(np.float64)))
            row_I = upper_II[begin + i, begin : begin + BLOCK]
            errors_BO[i] = (block_BO[i] - rounded_O1[:, 0]) / row_I[i]
            block_BO[i + 1 :] -= row_I[i + 1 :, None] * errors_BO[i]
        # the inputs after the block take over the errors of all of it in one product
        w_IO[begin + BLOCK :] -= upper_II[begin : begin + BLOCK, begin + BLOCK :].T @ errors_BO
    integers_OI = np.ascontiguousarray(integers_IO.T)
    stored = pack(integers_OI) if scheme.bits == 4 else integers_OI
    return Quantized(stored, np.concatenate(scales, 1), None if zeros[0] is None
                     else np.concatenate(zeros, 1), None, None, scheme, width, transposed)


def fit_group(w_ON, scheme: Scheme):
    """The scales (and zeros) of one group of every row."""
    scale_O1, zero_O1 = fit(w_ON, scheme)
    return scale_O1[:, :1], None if zero_O1 is None else zero_O1[:, :1]


def compensation(hessian_II, damping: float = DAMPING):
    """U with H^-1 = U^T U, upper triangular, of the damped H."""
    hessian_II = np.array(hessian_II, np.float64)
    mean = np.mean(np.diag(hessian_II))
    hessian_II[np.diag_indices_from(hessian_II)] += damping * mean if mean > 0 else 1.0
    return np.linalg.cholesky(np.linalg.inv(hessian_II)).T


def output_error(w, record: Quantized, hessian_II) -> float:
    """trace of (W - Q)^T H (W - Q): what rounding did to the outputs on the calibration text."""
    off = np.asarray(w, np.float64) - dequantize(record, np.float64)
    off_OI = off.T if record.transposed else off
    return float(np.sum((off_OI @ hessian_II) * off_OI))
