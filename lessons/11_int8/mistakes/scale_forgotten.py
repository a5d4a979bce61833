"""Nobody gives the activations their size back."""


def linear(x, integers, scales):
    x_integers, _ = quantize_rows(x)
    return integer_product(x_integers, integers) * scales.T
