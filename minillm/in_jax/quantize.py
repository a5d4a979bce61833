"""Quantization in JAX: floats to integers and back, and integer products.

The twin, minillm/in_numpy/quantize.py, has the formulas and citations. This file documents what XLA
needs to be fast on a CPU, as measured:

- An int8 matrix times an int8 vector takes a slow path, a matrix times a matrix a fast one. So a
  single row is passed twice.
- XLA would move a conversion to float out of the loop over tokens and keep the whole float matrix
  in memory. `optimization_barrier` ties the matrix to the token, so that it stays integer.
- Groups of 32: with one row of x per group, zero outside the group, a single matrix product
  computes the sums of all groups.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp
from jax.lax import dot_general, optimization_barrier

from minillm.architecture.quantized import GROUP, PARTS, STATIC, Quantized, Scheme

FEW = 4  # rows (tokens at once) up to which a product is bound by reading the weights

jax.tree_util.register_dataclass(Quantized, data_fields=list(PARTS), meta_fields=list(STATIC))


def quantize(w, scheme: Scheme, transposed: bool = True, columns=None):
    """Quantize a float matrix w (in, out), or (out, in) if not `transposed`, by rounding."""
    w_OI = w.T if transposed else w
    kept_On = None
    if columns is not None:
        kept_On = w_OI[:, columns].astype(jnp.float32)
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
    numbers or None."""
    w_OGN = groups(w_OI, scheme)
    if scheme.zero_point:
        low_OG, high_OG = jnp.minimum(jnp.min(w_OGN, axis=-1), 0), jnp.maximum(jnp.max(w_OGN, axis=-1), 0)
        scales_OG = round_scales(high_OG * 0.5 - low_OG * 0.5, (scheme.highest - scheme.lowest) / 2, scheme)
        zeros_OG = jnp.round(scheme.lowest - low_OG / scales_OG.astype(w_OI.dtype))
        return scales_OG, jnp.clip(zeros_OG, scheme.lowest, scheme.highest).astype(jnp.int8)
    if scheme.minimum:
        lows_OG = jnp.min(w_OGN, axis=-1).astype(scheme.scale_dtype)
        reach_OG = jnp.max(w_OGN, axis=-1) - lows_OG.astype(w_OI.dtype)
        scales_OG = jnp.maximum(reach_OG * (1 / (scheme.highest - scheme.lowest)),
                               scheme.smallest_scale)
        return scales_OG.astype(scheme.scale_dtype), lows_OG
    return round_scales(jnp.max(jnp.abs(w_OGN), axis=-1), scheme.highest, scheme), None


def round_scales(reach, steps: float, scheme: Scheme):
    """reach / steps in the dtype of the scales; float16 is rounded up, so that all numbers fit."""
    scales = jnp.maximum(reach * (1 / steps), scheme.smallest_scale)
    kept = scales.astype(scheme.scale_dtype)
    if scheme.scale_dtype == "float16":
        kept = jnp.where(kept.astype(scales.dtype) < scales, jnp.nextafter(kept, jnp.float16(jnp.inf)), kept)
    return kept


def to_integers(w_OI, scales_OG, offsets_OG, scheme: Scheme):
    """round(w / scale) + zero, or round((w - low) / scale) + lowest, as int8 (O, I).

    Halves go to the even neighbour.
    """
    if scheme.minimum:
        w_OI = w_OI - expand_scales(offsets_OG, w_OI.shape[1], scheme).astype(w_OI.dtype)
    steps_OI = jnp.round(w_OI / expand_scales(scales_OG, w_OI.shape[1], scheme).astype(w_OI.dtype))
    if scheme.minimum:
        steps_OI = steps_OI + scheme.lowest
    elif offsets_OG is not None:
        steps_OI = steps_OI + expand_scales(offsets_OG, w_OI.shape[1], scheme)
    return jnp.clip(steps_OI, scheme.lowest, scheme.highest).astype(jnp.int8)


def groups(w_OI, scheme: Scheme):
    """w with the numbers that share a scale on the last axis: (O, G, N), or (1, 1, O * I)."""
    if scheme.scale_per == "tensor":
        return w_OI.reshape(1, 1, -1)
    if scheme.scale_per == "channel":
        return w_OI[:, None, :]
    return jnp.pad(w_OI, ((0, 0), (0, -w_OI.shape[1] % GROUP))).reshape(len(w_OI), -1, GROUP)


def expand_scales(scales_OG, width: int, scheme: Scheme):
    """A scale for each number, (O, I), if scales are per group; otherwise they broadcast as is.

    This is a broadcast, which XLA fuses with the operation that reads it; `repeat` would make an
    array.
    """
    if scheme.scale_per != "group32":
        return scales_OG
    return jnp.broadcast_to(scales_OG[..., None], (*scales_OG.shape, GROUP)).reshape(len(scales_OG), -1)[:, :width]


def pack(integers_OI):
    """Pack two integers of -8 ... 7 per byte: even ones in the low 4 bits, odd in the high 4."""
    bits_OI = (jnp.pad(integers_OI, ((0, 0), (0, integers_OI.shape[1] % 2))) & 15).astype(jnp.uint8)
    return bits_OI[:, ::2] | (bits_OI[:, 1::2] << 4)


def unpack(packed, width: int):
    """The inverse of `pack`: int8 (O, width). Shifting left, then right, extends the sign."""
    low, high = (packed << 4).astype(jnp.int8) >> 4, packed.astype(jnp.int8) >> 4
    return jnp.stack([low, high], axis=-1).reshape(len(packed), -1)[:, :width]


def take_rows(w, rows):
    """A record of some rows of `w`, chosen by an index array or a slice."""
    def of(part):
        return None if part is None else part if len(part) != len(w.integers) else jnp.asarray(part)[rows]
    return replace(w, integers=jnp.asarray(w.integers)[rows], scales=of(w.scales),
                   zeros=of(w.zeros), kept=of(w.kept), lows=of(w.lows))


def dequantize(w, dtype=jnp.float32):
    """The float matrix of a record, in the record's orientation: scale * (integer - zero), or
    scale * (integer - lowest) + low."""
    w_OI = integers(w).astype(dtype)
    if w.lows is not None:
        w_OI = w_OI - w.scheme.lowest
    if w.zeros is not None:
        w_OI = w_OI - expand_scales(w.zeros, w.width, w.scheme).astype(dtype)
    w_OI = w_OI * expand_scales(w.scales, w.width, w.scheme).astype(dtype)
    if w.lows is not None:
        w_OI = w_OI + expand_scales(w.lows, w.width, w.scheme).astype(dtype)
    if w.columns is not None:
        w_OI = w_OI.at[:, w.columns].set(w.kept.astype(dtype))
    return w_OI.T if w.transposed else w_OI


def integers(w):
    """The integers of a record as int8 (O, I), unpacked."""
    return unpack(jnp.asarray(w.integers), w.width) if w.scheme.bits == 4 else jnp.asarray(w.integers)


def lookup(tokens_BT, w):
    """Rows of a quantized embedding, (B, T, D). Only these rows are converted to float."""
    rows = dequantize(take_rows(w, tokens_BT.reshape(-1)))
    return rows.reshape(*tokens_BT.shape, w.width)


def matmul(x, w):
    """y = x w for a quantized w (in, out): x (..., in) -> (..., out)."""
    x_TI = x.reshape(-1, x.shape[-1])
    times = matmul_integers if w.scheme.activations else matmul_weight_only
    return times(x_TI, w).reshape(*x.shape[:-1], w.shape[1])


def matmul_weight_only(x_TI, w):
    """Integer weights, float activations: y = scale (sum of x w - zero * sum of x).

    One scale per output can be taken out of the sum. If a row has several scales, or outlier
    inputs, the weights are converted to float first. XLA fuses either way into a product that reads
    integers, so there is nothing to gain by hand.
    """
    x_TI, stored = optimization_barrier((x_TI, jnp.asarray(w.integers)))
    w = replace(w, integers=stored)
    if w.scheme.scale_per == "group32" or w.columns is not None:
        return x_TI @ dequantize(w, x_TI.dtype)
    sums_TO = x_TI @ integers(w).astype(x_TI.dtype).T
    if w.zeros is not None:
        sums_TO = sums_TO - jnp.sum(x_TI, axis=1, keepdims=True) * w.zeros[:, 0].astype(x_TI.dtype)
    return sums_TO * w.scales[:, 0].astype(x_TI.dtype)


def matmul_integers(x_TI, w):
    """Integer weights and activations.

    y = sum over groups of  scale_x scale_w (sum of x w - zero * sum of x),  with integers in ( ).
    With groups and many rows, the integers times their scales are multiplied in float: the same up
    to rounding.
    """
    aside_TO = 0
    if w.columns is not None:
        aside_TO = x_TI[:, w.columns] @ w.kept.T.astype(x_TI.dtype)
        x_TI = x_TI * inlier_mask(w.columns, w.width, x_TI.dtype)
    xq_TI, scale_T1 = quantize_tokens(x_TI)
    if w.scheme.scale_per != "group32":
        sums_TO = integer_product(xq_TI, integers(w))
        if w.zeros is not None:
            sums_TO = sums_TO - jnp.sum(xq_TI, axis=1, keepdims=True, dtype=jnp.int32) * w.zeros[:, 0].astype(jnp.int32)
        return sums_TO * w.scales[:, 0].astype(x_TI.dtype) * scale_T1 + aside_TO
    if len(xq_TI) > FEW:
        whole = replace(w, columns=None, kept=None)
        return (xq_TI.astype(x_TI.dtype) @ dequantize(whole, x_TI.dtype)) * scale_T1 + aside_TO
    group_I = jnp.arange(w.width) // GROUP
    xq_TGI = jnp.where(group_I == jnp.arange(w.scales.shape[1])[:, None], xq_TI[:, None], 0)
    sums_OTG = dot_general(integers(w), xq_TGI, (((1,), (2,)), ((), ())), preferred_element_type=jnp.int32)
    if w.zeros is not None:
        sums_OTG = sums_OTG - jnp.sum(xq_TGI, axis=2, dtype=jnp.int32) * w.zeros[:, None].astype(jnp.int32)
    scales_O1G, low_OTG = w.scales[:, None].astype(x_TI.dtype), 0
    if w.lows is not None:
        sum_TG = jnp.sum(xq_TGI, axis=2, dtype=jnp.int32)
        sums_OTG = sums_OTG - sum_TG * jnp.int32(w.scheme.lowest)
        low_OTG = sum_TG * w.lows[:, None].astype(x_TI.dtype)
    return jnp.sum(sums_OTG * scales_O1G + low_OTG, axis=-1).T * scale_T1 + aside_TO


def inlier_mask(columns, width: int, dtype):
    """A mask (width,): 0 in `columns`, 1 everywhere else."""
    return jnp.ones(width, dtype).at[columns].set(0)


def quantize_tokens(x_TI):
    """(int8 (T, I), scales (T, 1)): absmax with a scale per token, found while the model runs."""
    scale_T1 = jnp.maximum(jnp.max(jnp.abs(x_TI), axis=1, keepdims=True) * (1 / 127), 2.0**-100).astype(x_TI.dtype)
    return jnp.round(x_TI * (1 / scale_T1)).astype(jnp.int8), scale_T1


def integer_product(x_TI, w_OI):
    """x w^T of int8 matrices, exactly, as int32 (T, O). A single row is passed twice."""
    rows = jnp.concatenate([x_TI, x_TI]) if len(x_TI) == 1 else x_TI
    sums_TO = dot_general(rows, w_OI, (((1,), (1,)), ((), ())), preferred_element_type=jnp.int32)
    return optimization_barrier(sums_TO)[: len(x_TI)]


def smoothing(x_largest_I, w_largest_I, alpha: float):
    """SmoothQuant's factor of each input: s = max|x|^alpha / max|w|^(1 - alpha)."""
    alive_I = (x_largest_I > 0) & (w_largest_I > 0)
    x_I, w_I = (jnp.where(alive_I, largest_I, 1) for largest_I in (x_largest_I, w_largest_I))
    s_I = x_I**alpha / w_I ** (1 - alpha)
    return s_I.astype(x_largest_I.dtype)
