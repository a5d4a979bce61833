"""The block of 2017."""


def block(layer, x, attention, eps):
    x = rmsnorm(x + attention(layer, x), layer["input_layernorm"], eps)
    return rmsnorm(x + mlp(layer, x), layer["post_attention_layernorm"], eps)
