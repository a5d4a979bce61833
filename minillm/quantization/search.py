"""The scale and the smallest number of a group that make the squared error of rounding smallest.

The range of a group, min ... max, is what `fit` covers, so that no number is cut off. Often it is
better to cut off the outermost a little: all others then lie on a finer grid. For some grids, from
a little wider than the range to a fifth narrower, the integers are found, and then the scale and
the smallest number with which these integers have the smallest error, a line through 32 points:

    minimum over (scale, low) of  sum of (scale q_i + low - w_i)^2

The best of all is kept, the range itself among them: numbers that lie on a grid already stay what
they are. llama.cpp searches for its blocks of K-quants in this way (make_qkx2_quants).
"""

import numpy as np

from minillm.architecture.quantized import Quantized, Scheme
from minillm.in_numpy import quantize as plain

GRIDS = (-0.5, 0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.6, 3.2)  # steps more than 15 that the range is cut into
ROWS = 4096  # groups at once: what a processor's cache holds


def fit(w_OI, scheme: Scheme):
    """`fit` of in_numpy/quantize.py, searched where groups have a smallest number."""
    if not scheme.minimum:
        return plain.fit(w_OI, scheme)
    w_GN = plain.groups(w_OI, scheme).astype(np.float32)
    shape, w_GN = w_GN.shape[:2], w_GN.reshape(-1, w_GN.shape[-1])
    parts = [searched(w_GN[g : g + ROWS], scheme) for g in range(0, len(w_GN), ROWS)]
    return tuple(np.concatenate(part).reshape(shape) for part in zip(*parts))


def searched(w_GN, scheme: Scheme):
    """(scales (G,), lows (G,)) in float16."""
    one = Scheme(scheme.bits, "group32", minimum=True)
    scale_G, low_G = (part[:, 0] for part in plain.fit(w_GN, one))
    steps, sum_G = scheme.highest - scheme.lowest, w_GN.sum(-1)
    first_G1, reach_G = w_GN.min(-1, keepdims=True), w_GN.max(-1) - w_GN.min(-1)
    error_G = off(w_GN, scale_G, low_G, steps)
    for more in GRIDS:
        per_G = np.divide(steps + more, reach_G, out=np.zeros_like(reach_G), where=reach_G > 0)
        q_GN = np.clip(np.round((w_GN - first_G1) * per_G[:, None]), 0, steps)
        q_G, n = q_GN.sum(-1), w_GN.shape[1]
        apart_G = n * np.einsum("gn,gn->g", q_GN, q_GN) - q_G * q_G
        scale = (n * np.einsum("gn,gn->g", q_GN, w_GN) - q_G * sum_G) / np.maximum(apart_G, 1)
        scale = np.maximum(scale, scheme.smallest_scale).astype(np.float16)
        low = ((sum_G - scale.astype(np.float32) * q_G) / n).astype(np.float16)
        error = off(w_GN, scale, low, steps)
        better_G = error < error_G
        error_G = np.where(better_G, error, error_G)
        scale_G, low_G = np.where(better_G, scale, scale_G), np.where(better_G, low, low_G)
    return scale_G, low_G


def off(w_GN, scale_G, low_G, steps: int):
    """The sum of squared errors of each group, rounded to the nearest."""
    scale_G1, low_G1 = scale_G.astype(np.float32)[:, None], low_G.astype(np.float32)[:, None]
    q_GN = np.clip(np.round((w_GN - low_G1) / scale_G1), 0, steps)
    off_GN = scale_G1 * q_GN + low_G1 - w_GN
    return np.einsum("gn,gn->g", off_GN, off_GN)


def quantize(w, scheme: Scheme, transposed: bool = True, columns=None) -> Quantized:
    """`quantize` of in_numpy/quantize.py, with the scales of this file."""
    if not scheme.minimum:
        return plain.quantize(w, scheme, transposed, columns)
    w_OI, kept_On = np.ascontiguousarray(w.T if transposed else w), None
    if columns is not None:
        kept_On = w_OI[:, columns].astype(np.float32)
        w_OI = w_OI * plain.inlier_mask(columns, w_OI.shape[1], w_OI.dtype)
    scales_OG, lows_OG = fit(w_OI, scheme)
    integers_OI = plain.to_integers(w_OI, scales_OG, lows_OG, scheme)
    return plain.record(integers_OI, scales_OG, lows_OG, scheme, transposed, columns, kept_On)
