"""How the functions of exercise 11 are asked. Goes into the process in which they run: nothing
here is an answer."""

import numpy as np


class WrongType(TypeError):
    """Whole numbers of another dtype than asked for."""


def typed(answer, dtype):
    """(integers, scales) as they are. Raises WrongType where integers are not of `dtype`."""
    found = np.asarray(answer[0]).dtype
    if found != dtype:
        raise WrongType(f"the integers are of dtype {found}, not {np.dtype(dtype)}")
    return answer


def agreed(w, integers, scales):
    """Rows of zeros may have any positive scale: 1 is written in its place. Where a scale is none
    at all, integers mean nothing."""
    integers, scales = np.array(integers), np.array(scales, float)
    if integers.shape != w.shape or scales.shape not in ((len(w), 1), (len(w),)):
        return integers, scales
    column = scales.reshape(-1, 1)
    good = np.isfinite(column) & (column > 0)
    return np.where(good, integers, 0), np.where(
        good & ~w.any(axis=1, keepdims=True), 1.0, column
    ).reshape(scales.shape)


def quantize(student, w):
    return typed(student.quantize(w), np.int8)


def quantize_rows(student, w):
    return agreed(w, *typed(student.quantize_rows(w), np.int8))


def integer_product(student, x, w):
    """What is narrower than int32 is left alone: it shows in the numbers."""
    y = student.integer_product(x, w)
    return typed((y,), np.int32)[0] if np.asarray(y).dtype.itemsize > 4 else y
