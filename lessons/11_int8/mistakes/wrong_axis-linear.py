"""The scales of the outputs laid along the tokens."""


def linear(x, integers, scales):
    x_integers, x_scales = quantize_rows(x)
    return integer_product(x_integers, integers) * x_scales * scales
