"""BLOOM in JAX: mostly the LLaMA's operations, in another order, and two of its own.

    tokens -> embedding -> layernorm -> L x block -> layernorm -> head -> logits
    block(x) = m + mlp(layernorm(m))  with  m = x + attention(layernorm(x))

It differs from a LLaMA in these points: LayerNorm instead of RMSNorm, one more norm on the
embedding, biases everywhere, GELU without a gate, and ALiBi: no position is added or rotated;
instead, attention falls off with distance. Axes: see ops.py. Twin: minillm/in_numpy/bloom.py.
"""

import jax.numpy as jnp

from minillm.architecture.bloom import BloomConfig, slopes
from minillm.in_jax.model import tap_layer, unembedding, update_cache
from minillm.in_jax.ops import attend, embedding, linear, no_tap

SQRT_2_OVER_PI, GELU_CUBIC = 0.7978845608028654, 0.044715


def forward(params, tokens_BT, config: BloomConfig, cache=None, tap=no_tap):
    """logits_BTV, cache. The tokens continue the cache; without one they start at position 0.

    Le Scao et al. 2022, arXiv:2211.05100, section 3.2.
    """
    start = 0 if cache is None else cache["length"]
    x_BTD = embed(params, tokens_BT, config, tap)
    kv_layers = []
    for i, layer in enumerate(params["layers"]):
        kv = None if cache is None else cache["layers"][i]
        x_BTD, kv = block(layer, x_BTD, start, kv, config, tap_layer(tap, i))
        kv_layers.append(kv)
    x_BTD = tap("final_norm", final_norm(params, x_BTD, config))
    logits_BTV = tap("logits", linear(x_BTD, unembedding(params)))
    length = start + tokens_BT.shape[1]
    return logits_BTV, None if cache is None else {"length": length, "layers": kv_layers}


def embed(params, tokens_BT, config: BloomConfig, tap=no_tap):
    """The start of the residual stream, a norm included: (B, T) -> (B, T, D)."""
    weight, bias = params["embed_layernorm"], params["embed_layernorm_bias"]
    x_BTD = tap("embed", embedding(tokens_BT, params["embed_tokens"]).astype(params["norm"].dtype))
    return tap("embed_norm", layernorm(x_BTD, weight, bias, config.layer_norm_epsilon))


def block(layer, x_BTD, start, kv, config: BloomConfig, tap=no_tap):
    """m = x + attention(layernorm(x)); m + mlp(layernorm(m)). Returns it and the layer's cache."""
    eps = config.layer_norm_epsilon
    x_BTD = tap("resid_pre", x_BTD)
    normed_BTD = tap("attn_in", layernorm(x_BTD, layer["input_layernorm"], layer["input_layernorm_bias"], eps))
    attn_out_BTD, kv = attention(layer, normed_BTD, start, kv, config, tap)
    mid_BTD = tap("resid_mid", x_BTD + tap("attn_out", attn_out_BTD))
    normed_BTD = tap("mlp_in", layernorm(mid_BTD, layer["post_attention_layernorm"],
                                         layer["post_attention_layernorm_bias"], eps))
    return tap("resid_post", mid_BTD + tap("mlp_out", mlp(layer, normed_BTD, tap))), kv


def block_alone(layer, x_BTD, config: BloomConfig, tap=no_tap, kv=None):
    """One block by itself, on texts from position 0. (B, T, D) -> (B, T, D), the layer's cache."""
    return block(layer, x_BTD, 0, kv, config, tap)


def final_norm(params, x_BTD, config: BloomConfig):
    """The LayerNorm after the last block."""
    return layernorm(x_BTD, params["norm"], params["norm_bias"], config.layer_norm_epsilon)


def attention(layer, x_BTD, start, kv, config: BloomConfig, tap=no_tap):
    """Self-attention with ALiBi: (B, T, D) -> (B, T, D), and the layer's cache. G = 1."""
    B, T, D = x_BTD.shape
    K, E = config.num_key_value_heads, config.head_dim
    slopes_KG = jnp.asarray(slopes(K)[:, None], x_BTD.dtype)
    q_BKGTE = tap("q", linear(x_BTD, layer["q_proj"], layer["q_bias"]).reshape(B, T, K, 1, E).transpose(0, 2, 3, 1, 4))
    k_BKSE = tap("k", linear(x_BTD, layer["k_proj"], layer["k_bias"]).reshape(B, T, K, E).transpose(0, 2, 1, 3))
    v_BKSE = tap("v", linear(x_BTD, layer["v_proj"], layer["v_bias"]).reshape(B, T, K, E).transpose(0, 2, 1, 3))
    if kv is not None:
        kv = {"k": update_cache(kv["k"], k_BKSE, start), "v": update_cache(kv["v"], v_BKSE, start)}
        k_BKSE, v_BKSE = kv["k"].reshape(B, K, -1, E), kv["v"].reshape(B, K, -1, E)
    z_BKGTE = tap("z", attend(q_BKGTE, k_BKSE, v_BKSE, start, slopes_KG, tap))
    z_BTO = z_BKGTE.transpose(0, 3, 1, 2, 4).reshape(B, T, D)
    return linear(z_BTO, layer["o_proj"], layer["o_bias"]), kv


def mlp(layer, x_BTD, tap=no_tap):
    """down(gelu(up(x))). (B, T, D) -> (B, T, D)."""
    up_BTF = tap("mlp_up", linear(x_BTD, layer["up_proj"], layer["up_bias"]))
    return linear(tap("mlp_post", gelu(up_BTF)), layer["down_proj"], layer["down_bias"])


def layernorm(x, weight, bias, eps: float):
    """y = weight * (x - mean(x)) / sqrt(var(x) + eps) + bias, over the last axis."""
    centered = x - jnp.mean(x, axis=-1, keepdims=True)
    scale = 1 / jnp.sqrt(jnp.mean(centered * centered, axis=-1, keepdims=True) + eps)
    return weight * (centered * scale) + bias


def gelu(x):
    """y = x Phi(x), in the tanh approximation."""
    return 0.5 * x * (1 + jnp.tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)))
