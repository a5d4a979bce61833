"""Quantization in NumPy: floats to integers and back, and integer products.

    scale   = largest |w| / 127    absmax: one scale per tensor, row (output channel) or 32 numbers
    integer = round(w / scale)
    w       ~ scale * integer      the error is at most scale / 2

Axes: O outputs, I inputs, G groups of a row, N numbers that share a scale, T tokens. The record
is defined in minillm/architecture/quantized.py; the twin is minillm/in_jax/quantize.py. The terms are those of
Gholami et al. 2021, arXiv:2103.13630, section III.
"""

from dataclasses import replace

import numpy as np

from minillm.architecture.quantized import GROUP, Quantized, Scheme

EXACT = 1024  # that many products of int8, 128 * 128 at most, add up to no more than 2^24: float32 holds such whole numbers exactly
BLOCK = 512  # rows that are turned back into float32 at once: what a processor's cache holds, instead of the whole matrix


def quantize(w, scheme: Scheme, transposed: bool = True, columns=None):
    """Quantize a float matrix w (in, out), or (out, in) if not `transposed`, by rounding.

    `columns` are the inputs that stay float (LLM.int8(), Dettmers et al. 2022, arXiv:2208.07339,
    section 3.2): the few that are so large that they would set the scale for all the others.
    """
    w_OI = np.ascontiguousarray(w.T if transposed else w)
    kept_On = None
    if columns is not None:
        kept_On = w_OI[:, columns].astype(np.float32)
        w_OI = w_OI * inlier_mask(columns, w_OI.shape[1], w_OI.dtype)
    scales_OG, offsets_OG = fit(w_OI, scheme)
    integers_OI = to_integers(w_OI, scales_OG, offsets_OG, scheme)
    return record(integers_OI, scales_OG, offsets_OG, scheme, transposed, columns, kept_On)


def record(integers_OI, scales_OG, offsets_OG, scheme: Scheme, transposed: bool, columns=None,
           kept_On=None):
    """The record of integers and of what `fit` gives."""
    stored = pack(integers_OI) if scheme.bits == 4 else integers_OI
    zeros_OG, lows_OG = (None, offsets_OG) if scheme.minimum else (offsets_OG, None)
    return Quantized(stored, scales_OG, zeros_OG, columns, kept_On, scheme, integers_OI.shape[1],
                     transposed, lows_OG)


def fit(w_OI, scheme: Scheme):
    """The scales with which the integers of `scheme` cover w, and the zero points, the smallest
    numbers or None.

    absmax       scale = max|w| / 127; integers -127 ... 127
    zero point   scale = (max - min) / 255, where min <= 0 <= max;
                 zero = round(-128 - min / scale), so 0 stays exactly 0
    minimum      low = min, scale = (max - low) / 15, both the nearest float16: numbers that lie on
                 such a grid already stay exactly what they are
    """
    w_OGN = groups(w_OI, scheme)
    if scheme.zero_point:
        low_OG, high_OG = np.minimum(np.min(w_OGN, axis=-1), 0), np.maximum(np.max(w_OGN, axis=-1), 0)
        scales_OG = round_scales(high_OG * 0.5 - low_OG * 0.5, (scheme.highest - scheme.lowest) / 2, scheme)
        zeros_OG = np.round(scheme.lowest - low_OG / scales_OG.astype(w_OI.dtype))
        return scales_OG, np.clip(zeros_OG, scheme.lowest, scheme.highest).astype(np.int8)
    if scheme.minimum:
        lows_OG = np.min(w_OGN, axis=-1).astype(scheme.scale_dtype)
        reach_OG = np.max(w_OGN, axis=-1) - lows_OG.astype(w_OI.dtype)
        scales_OG = np.maximum(reach_OG * (1 / (scheme.highest - scheme.lowest)),
                               scheme.smallest_scale)
        return scales_OG.astype(scheme.scale_dtype), lows_OG
    return round_scales(np.max(np.abs(w_OGN), axis=-1), scheme.highest, scheme), None


def round_scales(reach, steps: float, scheme: Scheme):
    """reach / steps in the dtype of the scales; float16 is rounded up, so that all numbers fit."""
    scales = np.maximum(reach * (1 / steps), scheme.smallest_scale)
    kept = scales.astype(scheme.scale_dtype)
    if scheme.scale_dtype == "float16":
        kept = np.where(kept.astype(scales.dtype) < scales, np.nextafter(kept, np.float16(np.inf)), kept)
    return kept


def to_integers(w_OI, scales_OG, offsets_OG, scheme: Scheme):
    """round(w / scale) + zero, or round((w - low) / scale) + lowest, as int8 (O, I).

    Halves go to the even neighbour.
    """
    if scheme.minimum:
        w_OI = w_OI - expand_scales(offsets_OG, w_OI.shape[1], scheme).astype(w_OI.dtype)
    steps_OI = np.round(w_OI / expand_scales(scales_OG, w_OI.shape[1], scheme).astype(w_OI.dtype))
    if scheme.minimum:
        steps_OI = steps_OI + scheme.lowest
    elif offsets_OG is not None:
        steps_OI = steps_OI + expand_scales(offsets_OG, w_OI.shape[1], scheme)
    return np.clip(steps_OI, scheme.lowest, scheme.highest).astype(np.int8)


def groups(w_OI, scheme: Scheme):
    """w with the numbers that share a scale on the last axis: (O, G, N), or (1, 1, O * I).

    (1, 1, O * I) is for one scale per tensor. If 32 does not divide I, zeros fill up the last group
    of each row; they do not change its scale.
    """
    if scheme.scale_per == "tensor":
        return w_OI.reshape(1, 1, -1)
    if scheme.scale_per == "channel":
        return w_OI[:, None, :]
    return np.pad(w_OI, ((0, 0), (0, -w_OI.shape[1] % GROUP))).reshape(len(w_OI), -1, GROUP)


def expand_scales(scales_OG, width: int, scheme: Scheme, size: int = GROUP):
    """A scale for each number, (O, I), if scales are per group of `size`; otherwise they broadcast
    as is."""
    if scheme.scale_per != "group32":
        return scales_OG
    return np.repeat(scales_OG, size, axis=1)[:, :width]


def pack(integers_OI):
    """Pack two integers of -8 ... 7 per byte: even ones in the low 4 bits, odd in the high 4."""
    bits_OI = (np.pad(integers_OI, ((0, 0), (0, integers_OI.shape[1] % 2))) & 15).astype(np.uint8)
    return bits_OI[:, ::2] | (bits_OI[:, 1::2] << 4)


def unpack(packed, width: int):
    """The inverse of `pack`: int8 (O, width)."""
    return np.stack(_halves(packed), axis=-1).reshape(len(packed), -1)[:, :width]


def _halves(packed):
    """The integers of the even inputs and of the odd ones, int8 (O, ceil(I / 2)) each. Shifting to
    the right extends a sign; so does x ^ 8 - 8, of 0 ... 15."""
    return ((packed & 15) ^ 8).astype(np.int8) - np.int8(8), packed.astype(np.int8) >> 4


def take_rows(w, rows):
    """A record of some rows of `w`, chosen by an index array or a slice."""
    def of(part):
        return None if part is None else part if len(part) != len(w.integers) else part[rows]
    return replace(w, integers=w.integers[rows], scales=of(w.scales), zeros=of(w.zeros),
                   kept=of(w.kept), lows=of(w.lows))


def dequantize(w, dtype=np.float32):
    """The float matrix of a record, in the record's orientation: scale * (integer - zero), or
    scale * (integer - lowest) + low."""
    w_OI = _to_floats(integers(w), w, dtype)
    if w.columns is not None:
        w_OI[:, w.columns] = w.kept
    return w_OI.T if w.transposed else w_OI


def _to_floats(integers_OI, w, dtype, size: int = GROUP):
    """scale * (integer - zero), or scale * (integer - lowest) + low, of some inputs of a record:
    `size` of them share a scale. (O, I). One array, changed in place: it stays in the cache."""
    def spread(part):
        return expand_scales(part.astype(dtype), integers_OI.shape[1], w.scheme, size)

    w_OI = integers_OI.astype(dtype)
    if w.lows is not None:
        w_OI -= w.scheme.lowest
    if w.zeros is not None:
        w_OI -= spread(w.zeros)
    w_OI *= spread(w.scales)
    if w.lows is not None:
        w_OI += spread(w.lows)
    return w_OI


def integers(w):
    """The integers of a record as int8 (O, I), unpacked."""
    return unpack(w.integers, w.width) if w.scheme.bits == 4 else w.integers


def lookup(tokens_BT, w):
    """Rows of a quantized embedding, (B, T, D). Only these rows are converted to float."""
    rows = dequantize(take_rows(w, tokens_BT.reshape(-1)))
    return rows.reshape(*tokens_BT.shape, w.width)


def matmul(x, w):
    """y = x w for a quantized w (in, out): x (..., in) -> (..., out), one block of w at a time."""
    x_TI = x.reshape(-1, x.shape[-1])
    times = matmul_integers if w.scheme.activations else matmul_weight_only
    y_TO = np.concatenate([times(x_TI, take_rows(w, slice(o, o + BLOCK))) for o in range(0, w.shape[1], BLOCK)], axis=1)
    return y_TO.reshape(*x.shape[:-1], w.shape[1])


def matmul_weight_only(x_TI, w):
    """Integer weights, float activations: y = scale (sum of x w - zero * sum of x).

    One scale per output can be taken out of the sum. If a row has several scales, or outlier
    inputs, the weights are converted to float first; of two integers in a byte, those of the even
    inputs and those of the odd ones are two matrices.
    """
    if w.columns is not None:
        return x_TI @ dequantize(w, x_TI.dtype)
    parts = [(x_TI, w.integers, GROUP)]
    if w.scheme.bits == 4:
        even_OP, odd_OP = _halves(w.integers)
        pairs_TP2 = np.pad(x_TI, ((0, 0), (0, w.width % 2))).reshape(len(x_TI), -1, 2)
        x_even_TP, x_odd_TP = np.ascontiguousarray(pairs_TP2.transpose(2, 0, 1))
        parts = [(x_even_TP, even_OP, GROUP // 2), (x_odd_TP, odd_OP, GROUP // 2)]
    if w.scheme.scale_per == "group32":
        return sum(x @ _to_floats(integers, w, x.dtype, size).T for x, integers, size in parts)
    sums_TO = sum(x @ integers.astype(x.dtype).T for x, integers, _ in parts)
    if w.zeros is not None:
        sums_TO = sums_TO - np.sum(x_TI, axis=1, keepdims=True) * w.zeros[:, 0].astype(x_TI.dtype)
    return sums_TO * w.scales[:, 0].astype(x_TI.dtype)


def matmul_integers(x_TI, w):
    """Integer weights and activations.

    y = sum over groups of  scale_x scale_w (sum of x w - zero * sum of x),  with integers in ( );
    with a smallest number, lowest in place of zero, and  + scale_x low (sum of x).
    Outlier inputs are left out of the integers and added in float: y + x[columns] w[columns].
    """
    aside_TO = 0
    if w.columns is not None:
        aside_TO = x_TI[:, w.columns] @ w.kept.T.astype(x_TI.dtype)
        x_TI = x_TI * inlier_mask(w.columns, w.width, x_TI.dtype)
    xq_TI, scale_T1 = quantize_tokens(x_TI)
    wq_OI = integers(w)
    size = GROUP if w.scheme.scale_per == "group32" else w.width
    y_TO = np.zeros((len(x_TI), len(wq_OI)), x_TI.dtype)
    for g, i in enumerate(range(0, w.width, size)):
        sums_TO = integer_product(xq_TI[:, i : i + size], wq_OI[:, i : i + size])
        if w.zeros is not None:
            sums_TO = sums_TO - np.sum(xq_TI[:, i : i + size], axis=1, keepdims=True, dtype=np.int32) * w.zeros[:, g].astype(np.int32)
        if w.lows is not None:
            sum_T1 = np.sum(xq_TI[:, i : i + size], axis=1, keepdims=True, dtype=np.int32)
            sums_TO = sums_TO - sum_T1 * np.int32(w.scheme.lowest)
            y_TO += sum_T1.astype(x_TI.dtype) * w.lows[:, g].astype(x_TI.dtype)
        y_TO += sums_TO.astype(x_TI.dtype) * w.scales[:, g].astype(x_TI.dtype)
    return y_TO * scale_T1 + aside_TO


def inlier_mask(columns, width: int, dtype):
    """A mask (width,): 0 in `columns`, 1 everywhere else."""
    mask = np.ones(width, dtype)
    mask[columns] = 0
    return mask


def quantize_tokens(x_TI):
    """(int8 (T, I), scales (T, 1)): absmax with a scale per token, found while the model runs."""
    scale_T1 = np.maximum(np.max(np.abs(x_TI), axis=1, keepdims=True) * (1 / 127),
                          2.0**-100).astype(x_TI.dtype)
    return np.round(x_TI * (1 / scale_T1)).astype(np.int8), scale_T1


def integer_product(x_TI, w_OI):
    """x w^T of int8 matrices, exactly, as int32 (T, O).

    NumPy multiplies integer matrices slowly and float ones fast. Integers up to 2^24 are exact in
    float32.
    """
    total_TO = np.zeros((len(x_TI), len(w_OI)), np.int32)
    for i in range(0, x_TI.shape[1], EXACT):
        part_TO = (
            x_TI[:, i : i + EXACT].astype(np.float32) @ w_OI[:, i : i + EXACT].astype(np.float32).T)
        total_TO += part_TO.astype(np.int32)
    return total_TO


def smoothing(x_largest_I, w_largest_I, alpha: float):
    """SmoothQuant's factor of each input: s = max|x|^alpha / max|w|^(1 - alpha).

    Then (x / s)(s w) = x w. With alpha = 0 all the difficulty stays in the activations, with 1 it
    moves into the weights. Inputs that are always 0 keep s = 1. Xiao et al. 2022, arXiv:2211.10438,
    eq. 4.
    """
    alive_I = (x_largest_I > 0) & (w_largest_I > 0)
    x_I, w_I = (np.where(alive_I, largest_I, 1) for largest_I in (x_largest_I, w_largest_I))
    s_I = x_I**alpha / w_I ** (1 - alpha)
    return s_I.astype(x_largest_I.dtype)
