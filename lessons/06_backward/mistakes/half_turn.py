"""Everything with a minus."""


def rope_backward(dy, x, cos, sin):
    return -rope(dy, cos, -sin)
