"""dup first."""


def swiglu_backward(dy, gate, up):
    s = 1 / (1 + np.exp(-gate))
    return dy * gate * s, dy * up * (s + gate * s * (1 - s))
