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
from scipy import linalg  # which comes with JAX

from minillm.architecture.quantized import GROUP, Quantized, Scheme
from minillm.in_numpy.quantize import dequantize, record, take_rows, to_integers
from minillm.quantization.search import fit

BLOCK = GROUP  # inputs, a multiple of GROUP; the paper has 128, but fewer stay in the cache
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
    integers_IO, scales, offsets = np.empty(w_IO.shape, np.int8), [], []
    for begin in range(0, width, BLOCK):
        block_BO = w_IO[begin : begin + BLOCK]
        errors_BO = np.empty_like(block_BO)
        for i in range(len(block_BO)):
            # scales of a group fit what its numbers have become
            if (begin + i) % size == 0:
                scale_O1, offset_O1 = fit_group(w_IO[begin + i : begin + i + size].T, scheme)
                scales.append(scale_O1), offsets.append(offset_O1)
            integers_O1 = to_integers(block_BO[i][:, None], scale_O1, offset_O1, one_row)
            integers_IO[begin + i] = integers_O1[:, 0]
            rounded_O1 = numbers(integers_O1, scale_O1, offset_O1, scheme)
            row_I = upper_II[begin + i, begin : begin + BLOCK]
            errors_BO[i] = (block_BO[i] - rounded_O1[:, 0]) / row_I[i]
            block_BO[i + 1 :] -= row_I[i + 1 :, None] * errors_BO[i]
        # the inputs after the block take over the errors of all of it in one product
        w_IO[begin + BLOCK :] -= upper_II[begin : begin + BLOCK, begin + BLOCK :].T @ errors_BO
    return record(np.ascontiguousarray(integers_IO.T), np.concatenate(scales, 1),
                  None if offsets[0] is None else np.concatenate(offsets, 1), scheme, transposed)


def compensated_together(ws, upper_II, scheme: Scheme) -> list[Quantized]:
    """`compensated` of matrices (in, out) that read the same inputs: side by side they are one,
    where no scale is for a whole matrix."""
    if scheme.scale_per == "tensor":
        return [compensated(w, upper_II, scheme) for w in ws]
    whole = compensated(np.concatenate(ws, 1), upper_II, scheme)
    ends = np.cumsum([w.shape[1] for w in ws])
    return [take_rows(whole, slice(end - w.shape[1], end)) for w, end in zip(ws, ends)]


def fit_group(w_ON, scheme: Scheme):
    """The scales (and zeros or smallest numbers) of one group of every row."""
    scale_O1, offset_O1 = fit(w_ON, scheme)
    return scale_O1[:, :1], None if offset_O1 is None else offset_O1[:, :1]


def numbers(integers_O1, scale_O1, offset_O1, scheme: Scheme):
    """What integers of one input stand for, float64, as `dequantize` has it."""
    scale_O1 = scale_O1.astype(np.float64)
    if scheme.minimum:
        return scale_O1 * (integers_O1 - np.float64(scheme.lowest)) + offset_O1
    return scale_O1 * (integers_O1 - (0.0 if offset_O1 is None else offset_O1.astype(np.float64)))


def compensation(hessian_II, damping: float = DAMPING):
    """U with H^-1 = U^T U, upper triangular, of the damped H.

    Read from the last input to the first, H is L L^T; so H = R R^T with R upper, and U = R^-1.
    """
    hessian_II = np.array(hessian_II, np.float64)
    mean = np.mean(np.diag(hessian_II))
    hessian_II[np.diag_indices_from(hessian_II)] += damping * mean if mean > 0 else 1.0
    lower_II = linalg.cholesky(hessian_II[::-1, ::-1], lower=True)
    return np.ascontiguousarray(linalg.lapack.dtrtri(lower_II, lower=1)[0][::-1, ::-1])


def output_error(w, record: Quantized, hessian_II) -> float:
    """trace of (W - Q)^T H (W - Q): what rounding did to the outputs on the calibration text."""
    off = np.asarray(w, np.float64) - dequantize(record, np.float64)
    off_OI = off.T if record.transposed else off
    return float(np.sum((off_OI @ hessian_II) * off_OI))
