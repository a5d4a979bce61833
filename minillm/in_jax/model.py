"""A LLaMA in JAX; `jax.value_and_grad` computes the gradient. Twin: minillm/in_numpy/model.py.

Axes: see ops.py.

    tokens -> embedding -> L x block -> norm -> head -> logits
    block(x) = m + mlp(norm(m))  with  m = x + attention(norm(x))

The file goes from the parts to the whole. A relative of the LLaMA is made of the same functions: it
gives `block` another attention, and `forward` that block (see qwen3.py).

Every function is pure, so `jax.jit` can compile it. If a tap records activations in a dictionary,
the traced function must return that dictionary. `config` is frozen and hashable: pass it as a
static argument.
"""

import jax
import jax.numpy as jnp
from jax.lax import dynamic_update_slice_in_dim

from minillm.config import ModelConfig
from minillm.in_jax.ops import (
    attend,
    cross_entropy,
    embedding,
    linear,
    no_tap,
    rmsnorm,
    rope,
    rotation,
    swiglu,
)


def attention(layer, x_BTD, start, cos_sin, kv, config: ModelConfig, tap=no_tap):
    """Grouped-query self-attention with rotary positions. (B, T, D) -> (B, T, D), kv.

    `kv` holds the layer's keys and values of earlier positions (see `init_cache`), or is None. It
    is returned with the new keys and values added.
    """
    B, T, _ = x_BTD.shape
    K, G, E = config.num_key_value_heads, config.queries_per_key, config.head_dim
    q_BTO = linear(x_BTD, layer["q_proj"], layer.get("q_bias"))
    k_BTJ = linear(x_BTD, layer["k_proj"], layer.get("k_bias"))
    v_BTJ = linear(x_BTD, layer["v_proj"], layer.get("v_bias"))
    q_BKGTE = tap("q", q_BTO.reshape(B, T, K, G, E).transpose(0, 2, 3, 1, 4))
    k_BKTE = tap("k", k_BTJ.reshape(B, T, K, E).transpose(0, 2, 1, 3))
    v_BKSE = tap("v", v_BTJ.reshape(B, T, K, E).transpose(0, 2, 1, 3))
    q_BKGTE = tap("rot_q", rope(q_BKGTE, *cos_sin))
    k_BKSE = tap("rot_k", rope(k_BKTE, *cos_sin))
    if kv is not None:
        kv = {"k": update_cache(kv["k"], k_BKSE, start), "v": update_cache(kv["v"], v_BKSE, start)}
        k_BKSE, v_BKSE = kv["k"].reshape(B, K, -1, E), kv["v"].reshape(B, K, -1, E)
    z_BKGTE = tap("z", attend(q_BKGTE, k_BKSE, v_BKSE, start, tap=tap))
    z_BTO = z_BKGTE.transpose(0, 3, 1, 2, 4).reshape(B, T, K * G * E)
    return linear(z_BTO, layer["o_proj"], layer.get("o_bias")), kv


def init_cache(config: ModelConfig, batch_size: int, length: int, dtype=jnp.float32):
    """An empty KV cache for `length` positions: keys and values (R, S, E) per layer, R = B*K.

    XLA updates an array of this shape in place; with (B, K, S, E) it would copy the whole cache for
    every token.
    """
    shape = (batch_size * config.num_key_value_heads, length, config.head_dim)
    return {"length": 0, "layers": [{"k": jnp.zeros(shape, dtype), "v": jnp.zeros(shape, dtype)}
                                    for _ in range(config.num_hidden_layers)]}


def update_cache(cache_RSE, new_BKTE, start):
    """Write T new keys (or values) into the cache from position `start` on. Returns a new array."""
    new_RTE = new_BKTE.reshape(-1, *new_BKTE.shape[2:])
    return dynamic_update_slice_in_dim(cache_RSE, new_RTE, start, axis=1)


def mlp(layer, x_BTD, tap=no_tap):
    """down(silu(gate(x)) * up(x)). (B, T, D) -> (B, T, D)."""
    gate_BTF = tap("mlp_pre", linear(x_BTD, layer["gate_proj"], layer.get("gate_bias")))
    up_BTF = tap("mlp_up", linear(x_BTD, layer["up_proj"], layer.get("up_bias")))
    post_BTF = tap("mlp_post", swiglu(gate_BTF, up_BTF))
    return linear(post_BTF, layer["down_proj"], layer.get("down_bias"))


def block(layer, x_BTD, start, cos_sin, kv, config: ModelConfig, tap=no_tap, attention=attention):
    """m = x + attention(norm(x)), x = m + mlp(norm(m)). Returns x_BTD and the layer's KV cache."""
    eps = config.rms_norm_eps
    x_BTD = tap("resid_pre", x_BTD)
    normed_BTD = tap("attn_in", rmsnorm(x_BTD, layer["input_layernorm"], eps))
    attn_out_BTD, kv = attention(layer, normed_BTD, start, cos_sin, kv, config, tap)
    mid_BTD = tap("resid_mid", x_BTD + tap("attn_out", attn_out_BTD))
    normed_BTD = tap("mlp_in", rmsnorm(mid_BTD, layer["post_attention_layernorm"], eps))
    return tap("resid_post", mid_BTD + tap("mlp_out", mlp(layer, normed_BTD, tap))), kv


def block_alone(layer, x_BTD, config: ModelConfig, tap=no_tap, kv=None, block=block):
    """One block by itself, on texts from position 0. (B, T, D) -> (B, T, D), the layer's cache."""
    T = x_BTD.shape[1]
    cos_sin = rotation(jnp.arange(T), config, T, x_BTD.dtype)
    return block(layer, x_BTD, 0, cos_sin, kv, config, tap)


def embed(params, tokens_BT, config: ModelConfig, tap=no_tap):
    """The start of the residual stream: (B, T) -> (B, T, D)."""
    return tap("embed", embedding(tokens_BT, params["embed_tokens"]).astype(params["norm"].dtype))


def final_norm(params, x_BTD, config: ModelConfig):
    """The RMSNorm after the last block."""
    return rmsnorm(x_BTD, params["norm"], config.rms_norm_eps)


def unembedding(params):
    """The (D, V) matrix that gives the logits: lm_head, or the transposed embedding (tied)."""
    return params["lm_head"] if "lm_head" in params else params["embed_tokens"].T


def tap_layer(tap, i: int):
    """The tap as layer i sees it: "q" becomes "layers.i.q"."""
    return tap if tap is no_tap else lambda name, x: tap(f"layers.{i}.{name}", x)


def forward(params, tokens_BT, config: ModelConfig, cache=None, tap=no_tap, block=block):
    """logits_BTV, cache. With a cache the tokens continue its text; without one they start at 0.

    Touvron et al. 2023, arXiv:2302.13971, section 2.2.
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


def loss(params, tokens_BT, targets_BT, config: ModelConfig):
    """Mean cross-entropy of the next token, in nats."""
    logits_BTV, _ = forward(params, tokens_BT, config)
    return cross_entropy(logits_BTV, targets_BT)


def loss_and_grads(params, tokens_BT, targets_BT, config: ModelConfig):
    """The loss and its gradient, a tree like `params`."""
    return jax.value_and_grad(loss)(params, tokens_BT, targets_BT, config)
