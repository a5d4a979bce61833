"""The forward, with the two exchanged."""


def rope_backward(dy, x, cos, sin):
    return rope(dy, sin, cos)
