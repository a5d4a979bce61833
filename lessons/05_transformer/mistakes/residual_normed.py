"""x is overwritten by its norm before the sum."""


def block(layer, x, attention, eps):
    x = rmsnorm(x, layer["input_layernorm"], eps)
    x = x + attention(layer, x)
    x = rmsnorm(x, layer["post_attention_layernorm"], eps)
    return x + mlp(layer, x)
