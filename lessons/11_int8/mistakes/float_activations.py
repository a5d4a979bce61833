"""Turns the weights back and multiplies floats."""


def linear(x, integers, scales):
    return x @ dequantize(integers, scales).T
