"""Qwen3 in JAX, forward only: a LLaMA that normalizes queries and keys.

    q = rope(rmsnorm(x w_q)),  k = rope(rmsnorm(x w_k)), the norm over the numbers of each head

All else is the LLaMA's. Axes: see ops.py. Twin: minillm/in_numpy/qwen3.py.
"""

import jax.numpy as jnp

from minillm.architecture.qwen3 import Qwen3Config
from minillm.in_jax.model import embed, final_norm, mlp, tap_layer, unembedding, update_cache
from minillm.in_jax.ops import attend, linear, no_tap, rmsnorm, rope, rotation


def forward(params, tokens_BT, config: Qwen3Config, cache=None, tap=no_tap):
    """logits_BTV, cache. With a cache the tokens continue its text; without one they start at 0.

    Yang et al. 2025, arXiv:2505.09388, section 2.
    """
    start = 0 if cache is None else cache["length"]
    T = tokens_BT.shape[1]
    cos_sin = rotation(start + jnp.arange(T), config, T, params["norm"].dtype)
    x_BTD = embed(params, tokens_BT, config, tap)
    kv_layers = []
    for i, layer in enumerate(params["layers"]):
        kv = None if cache is None else cache["layers"][i]
        x_BTD, kv = block(layer, x_BTD, start, cos_sin, kv, config, tap_layer(tap, i))
        kv_layers.append(kv)
    x_BTD = tap("final_norm", final_norm(params, x_BTD, config))
    logits_BTV = tap("logits", linear(x_BTD, unembedding(params)))
    return logits_BTV, None if cache is None else {"length": start + T, "layers": kv_layers}


def block(layer, x_BTD, start, cos_sin, kv, config: Qwen3Config, tap=no_tap):
    """m = x + attention(norm(x)), x = m + mlp(norm(m)). Returns x_BTD and the layer's KV cache."""
    eps = config.rms_norm_eps
    x_BTD = tap("resid_pre", x_BTD)
    normed_BTD = tap("attn_in", rmsnorm(x_BTD, layer["input_layernorm"], eps))
    attn_out_BTD, kv = attention(layer, normed_BTD, start, cos_sin, kv, config, tap)
    mid_BTD = tap("resid_mid", x_BTD + tap("attn_out", attn_out_BTD))
    normed_BTD = tap("mlp_in", rmsnorm(mid_BTD, layer["post_attention_layernorm"], eps))
    return tap("resid_post", mid_BTD + tap("mlp_out", mlp(layer, normed_BTD, tap))), kv


def block_alone(layer, x_BTD, config: Qwen3Config, tap=no_tap, kv=None):
    """One block by itself, on texts from position 0. (B, T, D) -> (B, T, D), the layer's cache."""
    T = x_BTD.shape[1]
    cos_sin = rotation(jnp.arange(T), config, T, x_BTD.dtype)
    return block(layer, x_BTD, 0, cos_sin, kv, config, tap)


def attention(layer, x_BTD, start, cos_sin, kv, config: Qwen3Config, tap=no_tap):
    """Grouped-query attention with normalized queries and keys. (B, T, D) -> (B, T, D), kv."""
    B, T, _ = x_BTD.shape
    K, G, E = config.num_key_value_heads, config.queries_per_key, config.head_dim
    q_BTO = linear(x_BTD, layer["q_proj"], layer.get("q_bias"))
    k_BTJ = linear(x_BTD, layer["k_proj"], layer.get("k_bias"))
    v_BTJ = linear(x_BTD, layer["v_proj"], layer.get("v_bias"))
    q_BKGTE = tap("q", q_BTO.reshape(B, T, K, G, E).transpose(0, 2, 3, 1, 4))
    k_BKTE = tap("k", k_BTJ.reshape(B, T, K, E).transpose(0, 2, 1, 3))
    v_BKSE = tap("v", v_BTJ.reshape(B, T, K, E).transpose(0, 2, 1, 3))
    q_BKGTE = tap("rot_q", rope(rmsnorm(q_BKGTE, layer["q_norm"], config.rms_norm_eps), *cos_sin))
    k_BKSE = tap("rot_k", rope(rmsnorm(k_BKTE, layer["k_norm"], config.rms_norm_eps), *cos_sin))
    if kv is not None:
        kv = {"k": update_cache(kv["k"], k_BKSE, start), "v": update_cache(kv["v"], v_BKSE, start)}
        k_BKSE, v_BKSE = kv["k"].reshape(B, K, -1, E), kv["v"].reshape(B, K, -1, E)
    z_BKGTE = tap("z", attend(q_BKGTE, k_BKSE, v_BKSE, start, tap=tap))
    z_BTO = z_BKGTE.transpose(0, 3, 1, 2, 4).reshape(B, T, K * G * E)
    return linear(z_BTO, layer["o_proj"], layer.get("o_bias")), kv
