"""gate as a constant factor."""


def swiglu_backward(dy, gate, up):
    s = 1 / (1 + np.exp(-gate))
    return dy * up * gate * s * (1 - s), dy * gate * s
