"""sigmoid' alone."""


def swiglu_backward(dy, gate, up):
    s = 1 / (1 + np.exp(-gate))
    return dy * up * s * (1 - s), dy * gate * s
