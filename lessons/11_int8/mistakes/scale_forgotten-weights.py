"""Nobody gives the weights their size back."""


def linear(x, integers, scales):
    x_integers, x_scales = quantize_rows(x)
    return x_scales * integer_product(x_integers, integers)
