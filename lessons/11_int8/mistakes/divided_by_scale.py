"""Divides, to undo what it takes for a multiplication."""


def dequantize(integers, scales):
    return integers / scales
