"""input_layernorm twice."""


def block(layer, x, attention, eps):
    x = x + attention(layer, rmsnorm(x, layer["input_layernorm"], eps))
    return x + mlp(layer, rmsnorm(x, layer["input_layernorm"], eps))
