"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- absolute_damping ----
# 0.01, whatever the size of H.


def factor(H, damping):
    return np.linalg.cholesky(np.linalg.inv(H + damping * np.eye(len(H)))).T


# ---- across_rows-columns ----
# A scale for each input.


def quantize_groups(w):
    scales = np.abs(w).max(axis=0, keepdims=True) / 7
    return np.round(w / scales).astype(np.int8), scales


# ---- across_rows ----
# 32 numbers after the other, wherever a row ends.


def quantize_groups(w):
    groups = w.reshape(-1, 32)
    scales = np.abs(groups).max(axis=1, keepdims=True) / 7
    return np.round(groups / scales).astype(np.int8).reshape(w.shape), scales


# ---- column_not_row ----
# U[:, i].


def compensate(w, U, i, scales):
    integers = np.clip(np.round(w[:, i] / scales[:, 0]), -7, 7)
    error = w[:, i] - scales[:, 0] * integers
    w = w - np.outer(error / U[i, i], U[:, i])
    w[:, i] = scales[:, 0] * integers
    return integers.astype(np.int8), w


# ---- damped_everywhere ----
# A number added to a matrix is added to every entry.


def factor(H, damping):
    return np.linalg.cholesky(np.linalg.inv(H + damping * np.mean(np.diag(H)))).T


# ---- error_without_scale ----
# The weight minus its integer.


def compensate(w, U, i, scales):
    integers = np.clip(np.round(w[:, i] / scales[:, 0]), -7, 7)
    error = w[:, i] - integers
    w = w.copy()
    w[:, i] = scales[:, 0] * integers
    w[:, i + 1:] -= np.outer(error / U[i, i], U[i, i + 1:])
    return integers.astype(np.int8), w


# ---- halves-unpack ----
# All low ones, then all high ones.


def unpack(packed):
    nibbles = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.int8)
    return np.where(nibbles > 7, nibbles - 16, nibbles).astype(np.int8)


# ---- halves ----
# The first half of the row low, the second high.


def pack(integers):
    low, high = np.split((integers & 15).astype(np.uint8), 2, axis=1)
    return low | high << 4


# ---- lower-inverse ----
# The factor of H, inverted: its U^T U is right, its triangle is not.


def factor(H, damping):
    H = H + damping * np.mean(np.diag(H)) * np.eye(len(H))
    return np.linalg.inv(np.linalg.cholesky(H))


# ---- lower ----
# np.linalg.cholesky gives the lower one.


def factor(H, damping):
    H = H + damping * np.mean(np.diag(H)) * np.eye(len(H))
    return np.linalg.cholesky(np.linalg.inv(H))


# ---- nibbles_swapped-unpack ----
# The left one first.


def unpack(packed):
    nibbles = np.stack([packed >> 4, packed & 15], axis=-1).reshape(len(packed), -1).astype(np.int8)
    return ((nibbles + 8) % 16 - 8).astype(np.int8)


# ---- nibbles_swapped ----
# The first integer on the left, as one would write it.


def pack(integers):
    nibbles = (integers & 15).astype(np.uint8)
    return (nibbles[:, ::2] << 4) | nibbles[:, 1::2]


# ---- no_compensation ----
# Round to nearest.


def compensate(w, U, i, scales):
    integers = np.clip(np.round(w[:, i] / scales[:, 0]), -7, 7)
    w = w.copy()
    w[:, i] = scales[:, 0] * integers
    return integers.astype(np.int8), w


# ---- no_damping ----
# H as it is.


def factor(H, damping):
    return np.linalg.cholesky(np.linalg.inv(H)).T


# ---- not_clipped ----
# Whatever it rounds to.


def compensate(w, U, i, scales):
    integers = np.round(w[:, i] / scales[:, 0])
    error = w[:, i] - scales[:, 0] * integers
    w = w.copy()
    w[:, i] = scales[:, 0] * integers
    w[:, i + 1:] -= np.outer(error / U[i, i], U[i, i + 1:])
    return integers.astype(np.int8), w


# ---- not_divided ----
# error * U_ij.


def compensate(w, U, i, scales):
    integers = np.clip(np.round(w[:, i] / scales[:, 0]), -7, 7)
    error = w[:, i] - scales[:, 0] * integers
    w = w.copy()
    w[:, i] = scales[:, 0] * integers
    w[:, i + 1:] -= np.outer(error, U[i, i + 1:])
    return integers.astype(np.int8), w


# ---- not_inverted ----
# H itself.


def factor(H, damping):
    return np.linalg.cholesky(H + damping * np.trace(H) / len(H) * np.eye(len(H))).T


# ---- one_scale_a_row-paper ----
# 3 + 24 / 4096.
BITS = 3.00586


# ---- one_scale_a_row ----
# As int8-channel.


def quantize_groups(w):
    scales = np.max(np.abs(w), axis=1, keepdims=True) / 7
    return np.round(w / scales).astype(np.int8), scales


# ---- ragged ----
# Works where 32 divides the row.


def quantize_groups(w):
    groups = w.reshape(len(w), w.shape[1] // 32, 32)
    scales = np.max(np.abs(groups), axis=2) / 7
    return np.round(groups / scales[:, :, None]).reshape(w.shape).astype(np.int8), scales


# ---- scale_8 ----
# 2^3 = 8, and clips.


def quantize_groups(w):
    O, I = w.shape
    groups = np.pad(w, ((0, 0), (0, -I % 32))).reshape(O, -1, 32)
    scales = np.abs(groups).max(axis=2) / 8
    return np.clip(np.round(groups / scales[:, :, None]), -8, 7).reshape(O, -1)[:, :I].astype(np.int8), scales


# ---- scales_forgotten ----
# Three bits are three bits.
BITS = 3


# ---- shifted-unpack ----
# Takes 8 off.


def unpack(packed):
    return (np.stack([packed & 15, packed >> 4], axis=-1).reshape(len(packed), -1).astype(np.int8) - 8).astype(np.int8)


# ---- shifted ----
# Stores i + 8.


def pack(integers):
    nibbles = (integers + 8).astype(np.uint8)
    return nibbles[:, ::2] | (nibbles[:, 1::2] << 4)


# ---- sign_lost ----
# 0 ... 15.


def unpack(packed):
    return np.stack([packed & 15, packed >> 4], axis=-1).reshape(len(packed), -1).astype(np.int8)


# ---- sign_smears ----
# Nobody cuts off the high bits of the even ones.


def pack(integers):
    return (integers[:, ::2] | (integers[:, 1::2] << 4)).astype(np.uint8)


# ---- sixteen_steps ----
# 16 integers, 16 steps.


def quantize_with_zero(w):
    low = np.minimum(np.min(w, axis=1, keepdims=True), 0)
    high = np.maximum(np.max(w, axis=1, keepdims=True), 0)
    scales = (high - low) / 16
    zeros = np.round(-8 - low / scales)
    return np.clip(np.round(w / scales) + zeros, -8, 7).astype(np.int8), scales, zeros


# ---- unsigned ----
# 0 ... 15.


def quantize_with_zero(w):
    low = np.minimum(np.min(w, axis=1, keepdims=True), 0)
    high = np.maximum(np.max(w, axis=1, keepdims=True), 0)
    scales = (high - low) / 15
    zeros = np.round(-low / scales)
    return (np.round(w / scales) + zeros).astype(np.int8), scales, zeros


# ---- wrong_sign ----
# +=.


def compensate(w, U, i, scales):
    integers = np.clip(np.round(w[:, i] / scales[:, 0]), -7, 7)
    error = w[:, i] - scales[:, 0] * integers
    w = w.copy()
    w[:, i] = scales[:, 0] * integers
    w[:, i + 1:] += np.outer(error / U[i, i], U[i, i + 1:])
    return integers.astype(np.int8), w


# ---- zero_left_out ----
# From the smallest to the largest, wherever they are.


def quantize_with_zero(w):
    low, high = np.min(w, axis=1, keepdims=True), np.max(w, axis=1, keepdims=True)
    scales = (high - low) / 15
    zeros = np.round(-8 - low / scales)
    return np.clip(np.round(w / scales) + zeros, -8, 7).astype(np.int8), scales, zeros


# ---- zero_not_rounded ----
# Rounds once, at the end.


def quantize_with_zero(w):
    low = np.minimum(np.min(w, axis=1, keepdims=True), 0)
    high = np.maximum(np.max(w, axis=1, keepdims=True), 0)
    scales = (high - low) / 15
    zeros = -8 - low / scales
    return np.round(w / scales + zeros).astype(np.int8), scales, zeros


# ---- zero_sign ----
# What must be added to the integer.


def quantize_with_zero(w):
    low = np.minimum(np.min(w, axis=1, keepdims=True), 0)
    high = np.maximum(np.max(w, axis=1, keepdims=True), 0)
    scales = (high - low) / 15
    zeros = np.round(8 + low / scales)
    return (np.round(w / scales) - zeros).astype(np.int8), scales, zeros


# ---- zeros_forgotten ----
# 3 + 16 / 128.
BITS = 3.125


# ---- seven ----
# The negative ones from 7 on.


def unpack(packed):
    nibbles = np.stack([packed & 15, packed >> 4], axis=-1).reshape(len(packed), -1).astype(np.int8)
    return np.where(nibbles >= 7, nibbles - 16, nibbles).astype(np.int8)


# ---- signed_max ----
# The largest number with its sign.


def quantize_groups(w):
    O, I = w.shape
    groups = np.pad(w, ((0, 0), (0, -I % 32))).reshape(O, -1, 32)
    scales = np.max(groups, axis=2) / 7
    integers = np.round(groups / scales[:, :, None]).reshape(O, -1)[:, :I]
    return integers.astype(np.int8), scales


# ---- scale_8-not_clipped ----
# The scale from -8 to 8.


def quantize_groups(w):
    O, I = w.shape
    groups = np.pad(w, ((0, 0), (0, -I % 32))).reshape(O, -1, 32)
    scales = np.max(np.abs(groups), axis=2) / 8
    integers = np.round(groups / scales[:, :, None]).reshape(O, -1)[:, :I]
    return integers.astype(np.int8), scales
