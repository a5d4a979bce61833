"""Solved by the given `numeric`."""


def swiglu_backward(dy, gate, up):
    return numeric(lambda x: swiglu(x, up), gate, dy), numeric(lambda x: swiglu(gate, x), up, dy)
