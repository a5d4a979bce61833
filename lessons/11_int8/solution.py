"""Lesson 11, the reference solution."""

import numpy as np

RETURNED = 0.74  # scale 2.54 / 127 = 0.02; 0.735 / 0.02 = 36.75, so 37; 37 * 0.02


def quantize(w):
    scale = np.max(np.abs(w)) / 127
    return np.round(w / scale).astype(np.int8), scale


def predicted_error(w):
    return np.max(np.abs(w)) / np.sqrt(np.mean(w**2)) / (127 * np.sqrt(12))


def dequantize(integers, scales):
    return integers * scales


def quantize_rows(w):
    largest = np.max(np.abs(w), axis=1, keepdims=True)
    scales = np.where(largest > 0, largest, 127) / 127
    return np.round(w / scales).astype(np.int8), scales


def integer_product(x, w):
    return x.astype(np.int32) @ w.astype(np.int32).T


def linear(x, integers, scales):
    x_integers, x_scales = quantize_rows(x)
    return integer_product(x_integers, integers) * x_scales * scales.T


def smoothing(x, w, alpha):
    x_largest, w_largest = np.max(np.abs(x), axis=0), np.max(np.abs(w), axis=0)
    return np.where(x_largest > 0, x_largest**alpha / w_largest ** (1 - alpha), 1.0)
