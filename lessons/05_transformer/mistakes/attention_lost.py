"""The second sum starts from the old x."""


def block(layer, x, attention, eps):
    middle = x + attention(layer, rmsnorm(x, layer["input_layernorm"], eps))
    return x + mlp(layer, rmsnorm(middle, layer["post_attention_layernorm"], eps))
