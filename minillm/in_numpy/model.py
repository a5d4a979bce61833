"""A LLaMA in NumPy: forward, then backward by hand. Twin: minillm/in_jax/model.py.

Axes: see ops.py.

    tokens -> embedding -> L x block -> norm -> head -> logits
    block(x) = m + mlp(norm(m))  with  m = x + attention(norm(x))

Forward goes from the parts to the whole, backward from the whole back to the parts. A relative of
the LLaMA is made of the same functions: it gives `block` another attention, and `forward` that
block (see qwen3.py).

`tap(name, x) -> x` sees every activation, and the model continues with what it returns. A recorder
returns x itself; an editor returns something else. The backward pass uses the recorded activations.
"""

import numpy as np

from minillm.config import ModelConfig
from minillm.in_numpy.ops import (
    attend,
    attend_backward,
    cross_entropy,
    cross_entropy_backward,
    embedding,
    embedding_backward,
    linear,
    linear_backward,
    no_tap,
    rmsnorm,
    rmsnorm_backward,
    rope,
    rope_backward,
    rotation,
    swiglu,
    swiglu_backward,
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


def init_cache(config: ModelConfig, batch_size: int, length: int, dtype=np.float32):
    """An empty KV cache for `length` positions: keys and values (R, S, E) per layer, R = B*K."""
    shape = (batch_size * config.num_key_value_heads, length, config.head_dim)
    return {"length": 0, "layers": [{"k": np.zeros(shape, dtype), "v": np.zeros(shape, dtype)}
                                    for _ in range(config.num_hidden_layers)]}


def update_cache(cache_RSE, new_BKTE, start):
    """Write T new keys (or values) into the cache from position `start` on, in place."""
    new_RTE = new_BKTE.reshape(-1, *new_BKTE.shape[2:])
    cache_RSE[:, start : start + new_RTE.shape[1]] = new_RTE
    return cache_RSE


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
    cos_sin = rotation(np.arange(T), config, T, x_BTD.dtype)
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
    cos_sin = rotation(start + np.arange(T), config, T, params["norm"].dtype)
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
    """The loss and its gradient, a tree like `params`: forward with a recorder, then backward."""
    activations = {}
    logits_BTV, _ = forward(params, tokens_BT, config, tap=activations.setdefault)
    value = cross_entropy(logits_BTV, targets_BT)
    dlogits_BTV = cross_entropy_backward(value.dtype.type(1), logits_BTV, targets_BT)
    return value, forward_backward(dlogits_BTV, params, tokens_BT, activations, config)


def forward_backward(dlogits_BTV, params, tokens_BT, activations, config: ModelConfig):
    """The gradient of every parameter, a tree like `params`: the lines of `forward` in reverse.

    `activations[name]` is what the forward pass tapped under this name.
    """
    T, L = tokens_BT.shape[1], config.num_hidden_layers
    cos_sin = rotation(np.arange(T), config, T, params["norm"].dtype)
    x_BTD, last_BTD = activations["final_norm"], activations[f"layers.{L - 1}.resid_post"]
    dx_BTD, dhead_DV, _ = linear_backward(dlogits_BTV, x_BTD, unembedding(params))
    dx_BTD, dnorm = rmsnorm_backward(dx_BTD, last_BTD, params["norm"], config.rms_norm_eps)
    dlayers = [None] * L
    for i in reversed(range(L)):
        dx_BTD, dlayers[i] = block_backward(dx_BTD, params["layers"][i], activations,
                                            f"layers.{i}.", cos_sin, config)
    dembed_VD = embedding_backward(dx_BTD, tokens_BT, params["embed_tokens"])
    if "lm_head" in params:
        return {"embed_tokens": dembed_VD, "layers": dlayers, "norm": dnorm, "lm_head": dhead_DV}
    if dhead_DV is not None:        # None: quantized, not trained
        dembed_VD = dembed_VD + dhead_DV.T                   # tied: one matrix, used at both ends
    return {"embed_tokens": dembed_VD, "layers": dlayers, "norm": dnorm}


def block_backward(dy_BTD, layer, activations, prefix: str, cos_sin, config: ModelConfig):
    """dx_BTD and the layer's gradients: the lines of `block` in reverse.

    `activations[prefix + name]` is what the forward pass tapped under this name.
    """
    eps = config.rms_norm_eps
    x_BTD, mid_BTD = activations[prefix + "resid_pre"], activations[prefix + "resid_mid"]
    dnormed_BTD, dmlp = mlp_backward(dy_BTD, layer, activations, prefix)
    dmid_BTD, dmlp_norm = rmsnorm_backward(dnormed_BTD, mid_BTD, layer["post_attention_layernorm"],
                                           eps)
    dmid_BTD = dy_BTD + dmid_BTD              # resid_post = mid + mlp(norm(mid)): two paths meet
    dnormed_BTD, dattention = attention_backward(dmid_BTD, layer, activations, prefix, cos_sin,
                                                 config)
    dx_BTD, dattn_norm = rmsnorm_backward(dnormed_BTD, x_BTD, layer["input_layernorm"], eps)
    dx_BTD = dmid_BTD + dx_BTD                # resid_mid = x + attention(norm(x)): two paths meet
    return dx_BTD, {"input_layernorm": dattn_norm, **dattention,
                    "post_attention_layernorm": dmlp_norm, **dmlp}


def mlp_backward(dy_BTD, layer, activations, prefix: str):
    """dx_BTD and the gradients of gate, up and down_proj: the lines of `mlp` in reverse."""
    x_BTD, gate_BTF, up_BTF, post_BTF = (
        activations[prefix + name] for name in ("mlp_in", "mlp_pre", "mlp_up", "mlp_post"))
    dpost_BTF, *ddown = linear_backward(dy_BTD, post_BTF, layer["down_proj"],
                                        layer.get("down_bias"))
    dgate_BTF, dup_BTF = swiglu_backward(dpost_BTF, gate_BTF, up_BTF)
    dx_up_BTD, *dup = linear_backward(dup_BTF, x_BTD, layer["up_proj"], layer.get("up_bias"))
    dx_gate_BTD, *dgate = linear_backward(dgate_BTF, x_BTD, layer["gate_proj"],
                                          layer.get("gate_bias"))
    return dx_gate_BTD + dx_up_BTD, _named(gate=dgate, up=dup, down=ddown)     # x went two ways


def attention_backward(dy_BTD, layer, activations, prefix: str, cos_sin, config: ModelConfig):
    """dx_BTD and the gradients of q, k, v and o_proj: the lines of `attention` in reverse."""
    B, T, _ = dy_BTD.shape
    K, G, E = config.num_key_value_heads, config.queries_per_key, config.head_dim
    x_BTD, q_BKGTE, k_BKTE, v_BKTE, rot_q_BKGTE, rot_k_BKTE, z_BKGTE = (
        activations[prefix + name] for name in ("attn_in", "q", "k", "v", "rot_q", "rot_k", "z"))
    z_BTO = z_BKGTE.transpose(0, 3, 1, 2, 4).reshape(B, T, K * G * E)
    dz_BTO, *do = linear_backward(dy_BTD, z_BTO, layer["o_proj"], layer.get("o_bias"))
    dz_BKGTE = dz_BTO.reshape(B, T, K, G, E).transpose(0, 2, 3, 1, 4)
    dq_BKGTE, dk_BKTE, dv_BKTE = attend_backward(dz_BKGTE, rot_q_BKGTE, rot_k_BKTE, v_BKTE, 0)
    dk_BKTE = rope_backward(dk_BKTE, k_BKTE, *cos_sin)
    dq_BKGTE = rope_backward(dq_BKGTE, q_BKGTE, *cos_sin)
    dv_BTJ = dv_BKTE.transpose(0, 2, 1, 3).reshape(B, T, K * E)
    dk_BTJ = dk_BKTE.transpose(0, 2, 1, 3).reshape(B, T, K * E)
    dq_BTO = dq_BKGTE.transpose(0, 3, 1, 2, 4).reshape(B, T, K * G * E)
    dx_v_BTD, *dv = linear_backward(dv_BTJ, x_BTD, layer["v_proj"], layer.get("v_bias"))
    dx_k_BTD, *dk = linear_backward(dk_BTJ, x_BTD, layer["k_proj"], layer.get("k_bias"))
    dx_q_BTD, *dq = linear_backward(dq_BTO, x_BTD, layer["q_proj"], layer.get("q_bias"))
    return dx_q_BTD + dx_k_BTD + dx_v_BTD, _named(q=dq, k=dk, v=dv, o=do)     # x went three ways


def _named(**grads):
    """{"q_proj": dw, "q_bias": db, ...} of q=(dw, db), ...; no bias where db is None."""
    return {f"{name}_{part}": grad for name, pair in grads.items()
            for part, grad in zip(("proj", "bias"), pair) if part == "proj" or grad is not None}
