"""A chain of functions."""


def block(layer, x, attention, eps):
    x = attention(layer, rmsnorm(x, layer["input_layernorm"], eps))
    return mlp(layer, rmsnorm(x, layer["post_attention_layernorm"], eps))
