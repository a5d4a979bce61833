"""The activations as one matrix."""


def linear(x, integers, scales):
    x_integers, x_scale = quantize(x)
    return integer_product(x_integers, integers) * x_scale * scales.T
