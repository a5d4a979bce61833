"""Only before attention."""


def block(layer, x, attention, eps):
    x = rmsnorm(x, layer["input_layernorm"], eps)
    x = x + attention(layer, x)
    return x + mlp(layer, rmsnorm(x, layer["post_attention_layernorm"], eps))
