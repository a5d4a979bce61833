"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- divided_by_scale ----
# Divides, to undo what it takes for a multiplication.


def dequantize(integers, scales):
    return integers / scales


# ---- division_by_zero ----
# 0 / 0 where a row is zero.


def quantize_rows(w):
    scales = np.max(np.abs(w), axis=1, keepdims=True) / 127
    with np.errstate(all="ignore"):
        return np.round(w / scales).astype(np.int8), scales


# ---- exponents_swapped ----
# alpha and 1 - alpha exchanged.


def smoothing(x, w, alpha):
    x_largest, w_largest = np.abs(x).max(axis=0), np.abs(w).max(axis=0)
    return np.where(x_largest > 0, x_largest ** (1 - alpha) / w_largest**alpha, 1.0)


# ---- flat_scales ----
# Right in everything but the shape of the scales.


def quantize_rows(w):
    scales = np.abs(w).max(axis=1) / 127
    scales[scales == 0] = 1.0
    return np.round(w / scales[:, None]).astype(np.int8), scales


# ---- float32_product ----
# Fast, and exact for about 1000 inputs.


def integer_product(x, w):
    return x.astype(np.float32) @ w.astype(np.float32).T


# ---- float_activations ----
# Turns the weights back and multiplies floats.


def linear(x, integers, scales):
    return x @ dequantize(integers, scales).T


# ---- int8_overflow-int16 ----
# Wide enough for one product, not for their sum.


def integer_product(x, w):
    return x.astype(np.int16) @ w.astype(np.int16).T


# ---- int8_overflow ----
# NumPy multiplies int8 in int8.


def integer_product(x, w):
    return (x @ w.T).astype(np.int32)


# ---- inverse_scale-paper ----
# 37 divided by 0.02.
RETURNED = 1850


# ---- inverse_scale ----
# The scale of the paper on LLM.int8(): what a number is multiplied with to become an integer.


def quantize(w):
    scale = 127 / np.max(np.abs(w))
    return np.round(w * scale).astype(np.int8), scale


# ---- inverted ----
# What the weights are divided by.


def smoothing(x, w, alpha):
    x_largest, w_largest = np.abs(x).max(axis=0), np.abs(w).max(axis=0)
    return np.where(x_largest > 0, w_largest ** (1 - alpha) / np.where(x_largest > 0, x_largest, 1) ** alpha, 1.0)


# ---- not_a_share ----
# The root mean square of the error, beside nothing.


def predicted_error(w):
    return np.max(np.abs(w)) / 127 / np.sqrt(12)


# ---- not_returned ----
# The integer, not what it stands for.
RETURNED = 37


# ---- not_transposed ----
# As if the weights were (in, out).


def integer_product(x, w):
    return x.astype(np.int32) @ w.astype(np.int32)


# ---- one_scale ----
# The scale of the whole matrix, given to every row.


def quantize_rows(w):
    integers, scale = quantize(w)
    return integers, np.full((len(w), 1), scale)


# ---- one_token_scale ----
# The activations as one matrix.


def linear(x, integers, scales):
    x_integers, x_scale = quantize(x)
    return integer_product(x_integers, integers) * x_scale * scales.T


# ---- same_exponent ----
# alpha for both.


def smoothing(x, w, alpha):
    x_largest, w_largest = np.max(np.abs(x), axis=0), np.max(np.abs(w), axis=0)
    return np.where(x_largest > 0, x_largest**alpha / w_largest**alpha, 1.0)


# ---- scale_128-paper ----
# 2.54 / 128 is 0.01984; 0.735 is 37 of these.
RETURNED = 0.73422


# ---- scale_128-wraps ----
# The same, and nobody clips: +128 becomes -128.


def quantize(w):
    scale = np.abs(w).max() / 128.0
    with np.errstate(all="ignore"):
        return np.round(w / scale).astype(np.int8), scale


# ---- scale_128 ----
# 2^7 = 128 steps on each side; clipped to what an int8 holds.


def quantize(w):
    scale = np.abs(w).max() / 128
    return np.clip(np.round(w / scale), -128, 127).astype(np.int8), scale


# ---- scale_forgotten-weights ----
# Nobody gives the weights their size back.


def linear(x, integers, scales):
    x_integers, x_scales = quantize_rows(x)
    return x_scales * integer_product(x_integers, integers)


# ---- scale_forgotten ----
# Nobody gives the activations their size back.


def linear(x, integers, scales):
    x_integers, _ = quantize_rows(x)
    return integer_product(x_integers, integers) * scales.T


# ---- signed_max-paper ----
# The largest weight is 1.0, so the step is 1 / 127, and 0.735 is 93 of them.
RETURNED = 0.73228


# ---- signed_max ----
# max, not the largest absolute value.


def quantize(w):
    scale = w.max() / 127
    return np.clip(np.round(w / scale), -127, 127).astype(np.int8), scale


# ---- signed_sizes-one_side ----
# Weights by size, activations not, and so is the test for inputs that are never on.


def smoothing(x, w, alpha):
    x_largest = x.max(axis=0)
    with np.errstate(all="ignore"):
        return np.where(x_largest > 0, x_largest**alpha / np.abs(w).max(axis=0) ** (1 - alpha), 1.0)


# ---- signed_sizes ----
# The largest activation, not the largest by size.


def smoothing(x, w, alpha):
    with np.errstate(all="ignore"):
        s = x.max(axis=0) ** alpha / w.max(axis=0) ** (1 - alpha)
    return np.where(np.abs(x).max(axis=0) > 0, s, 1.0)


# ---- truncated-floor ----
# Rounds down.


def quantize(w):
    scale = np.max(np.abs(w)) / 127
    return np.floor(w / scale).astype(np.int8), scale


# ---- truncated-paper ----
# 36.75 cut off to 36.
RETURNED = 0.72


# ---- truncated ----
# A cast cuts off.


def quantize(w):
    scale = np.max(np.abs(w)) / 127
    return (w / scale).astype(np.int8), scale


# ---- uneven-paper ----
# The range from -2.54 to 2.54 in 255 steps of 0.01992; 37 of them.
RETURNED = 0.7371


# ---- uneven-range ----
# From the smallest to the largest, as with a zero point, but without one.


def quantize(w):
    scale = (w.max() - w.min()) / 255
    return np.clip(np.round(w / scale), -128, 127).astype(np.int8), scale


# ---- uneven ----
# 256 integers have 255 steps between them.


def quantize(w):
    scale = 2 * np.max(np.abs(w)) / 255
    return np.clip(np.rint(w / scale), -128, 127).astype(np.int8), scale


# ---- whole_step ----
# A step, as a share of the rms: the root of 12 is forgotten.


def predicted_error(w):
    return np.max(np.abs(w)) / 127 / np.sqrt(np.mean(w**2))


# ---- wrong_axis-linear ----
# The scales of the outputs laid along the tokens.


def linear(x, integers, scales):
    x_integers, x_scales = quantize_rows(x)
    return integer_product(x_integers, integers) * x_scales * scales


# ---- wrong_axis-no_keepdims ----
# The right maximum, and an axis too few: broadcasting lays the scales along the columns.


def quantize_rows(w):
    scales = np.max(np.abs(w), axis=1) / 127
    with np.errstate(all="ignore"):
        return np.round(w / scales).astype(np.int8), scales


# ---- not_an_input ----
# The largest of each token and of each output.


def smoothing(x, w, alpha):
    return np.max(np.abs(x), axis=1) ** alpha / np.max(np.abs(w), axis=1) ** (1 - alpha)


# ---- wrong_axis ----
# A scale for each column, an input.


def quantize_rows(w):
    scales = np.max(np.abs(w), axis=0, keepdims=True) / 127
    return np.round(w / scales).astype(np.int8), scales


# ---- wrong_type-int32 ----
# int32 in place of int8.


def quantize(w):
    scale = np.max(np.abs(w)) / 127
    return np.round(w / scale).astype(np.int32), scale


# ---- wrong_type-product ----
# Exact, and wider than asked for.


def integer_product(x, w):
    return x.astype(np.int64) @ w.astype(np.int64).T


# ---- wrong_type ----
# Whole numbers, in float64.


def quantize(w):
    scale = np.max(np.abs(w)) / 127
    return np.round(w / scale), scale


# ---- zero_factor ----
# An input that was never on gets s = 0, and x / s is 0 / 0.


def smoothing(x, w, alpha):
    return np.abs(x).max(0) ** alpha / np.abs(w).max(0) ** (1 - alpha)
