"""Attention and mlp read the same x, as in GPT-J."""


def block(layer, x, attention, eps):
    return x + attention(layer, rmsnorm(x, layer["input_layernorm"], eps)) + mlp(layer, rmsnorm(x, layer["post_attention_layernorm"], eps))
