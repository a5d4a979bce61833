"""A LLaMA in NumPy: forward, then backward by hand. Twin: minillm/in_jax/model.py.

Axes: see ops.py.

    tokens -> embedding -> L x block -> norm -> head -> logits
    block(x) = m + mlp(norm(m))  with  m = x + attention(norm(x))

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


def forward(params, tokens_BT, config: ModelConfig, cache=None, tap=no_tap):
    """logits_BTV, cache. With a cache the tokens continue its text; without one they start at 0.

    Touvron et al. 2023, arXiv:2302.13971, section 2.2.
    """
    start = 0 if cache is None else cache["length"]
    T = tokens_BT.shape[1]
    turn = rotation(start + np.arange(T), config, T, params["norm"].dtype)
    x_BTD = embed(params, tokens_BT, config, tap)
    kept = []
    for i, layer in enumerate(params["layers"]):
        past = None if cache is None else cache["layers"][i]
        x_BTD, past = block(layer, x_BTD, start, turn, past, config, tap_layer(tap, i))
        kept.append(past)
    x_BTD = tap("final_norm", final_norm(params, x_BTD, config))
    logits_BTV = tap("logits", linear(x_BTD, head(params)))
    return logits_BTV, None if cache is None else {"length": start + T, "layers": kept}


def embed(params, tokens_BT, config: ModelConfig, tap=no_tap):
    """The start of the residual stream: (B, T) -> (B, T, D)."""
    return tap("embed", embedding(tokens_BT, params["embed_tokens"]).astype(params["norm"].dtype))


def head(params):
    """The (D, V) matrix that gives the logits: lm_head, or the transposed embedding (tied)."""
    return params["lm_head"] if "lm_head" in params else params["embed_tokens"].T


def block(layer, x_BTD, start, turn, past, config: ModelConfig, tap=no_tap):
    """m = x + attention(norm(x)), x = m + mlp(norm(m)). Returns x_BTD and the layer's KV cache."""
    x_BTD = tap("resid_pre", x_BTD)
    normed_BTD = tap("attn_in", rmsnorm(x_BTD, layer["input_layernorm"], config.rms_norm_eps))
    attn_out_BTD, past = attention(layer, normed_BTD, start, turn, past, config, tap)
    mid_BTD = tap("resid_mid", x_BTD + tap("attn_out", attn_out_BTD))
    normed_BTD = rmsnorm(mid_BTD, layer["post_attention_layernorm"], config.rms_norm_eps)
    normed_BTD = tap("mlp_in", normed_BTD)
    return tap("resid_post", mid_BTD + tap("mlp_out", mlp(layer, normed_BTD, tap))), past


def block_alone(layer, x_BTD, config: ModelConfig, tap=no_tap, past=None):
    """One block by itself, on texts from position 0. (B, T, D) -> (B, T, D), the layer's cache."""
    T = x_BTD.shape[1]
    turn = rotation(np.arange(T), config, T, x_BTD.dtype)
    return block(layer, x_BTD, 0, turn, past, config, tap)


def final_norm(params, x_BTD, config: ModelConfig):
    """The RMSNorm after the last block."""
    return rmsnorm(x_BTD, params["norm"], config.rms_norm_eps)


def attention(layer, x_BTD, start, turn, past, config: ModelConfig, tap=no_tap):
    """Grouped-query self-attention with rotary positions. (B, T, D) -> (B, T, D), past.

    `past` holds the layer's keys and values of earlier positions (see `init_cache`), or is None. It
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
    q_BKGTE = tap("rot_q", rope(q_BKGTE, *turn))
    k_BKSE = tap("rot_k", rope(k_BKTE, *turn))
    if past is not None:
        past = {"k": write(past["k"], k_BKSE, start), "v": write(past["v"], v_BKSE, start)}
        k_BKSE, v_BKSE = past["k"].reshape(B, K, -1, E), past["v"].reshape(B, K, -1, E)
    z_BKGTE = tap("z", attend(q_BKGTE, k_BKSE, v_BKSE, start, tap=tap))
    z_BTO = z_BKGTE.transpose(0, 3, 1, 2, 4).reshape(B, T, K * G * E)
    return linear(z_BTO, layer["o_proj"], layer.get("o_bias")), past


def mlp(layer, x_BTD, tap=no_tap):
    """down(silu(gate(x)) * up(x)). (B, T, D) -> (B, T, D)."""
    gate_BTF = tap("mlp_pre", linear(x_BTD, layer["gate_proj"], layer.get("gate_bias")))
    up_BTF = tap("mlp_up", linear(x_BTD, layer["up_proj"], layer.get("up_bias")))
    post_BTF = tap("mlp_post", swiglu(gate_BTF, up_BTF))
    return linear(post_BTF, layer["down_proj"], layer.get("down_bias"))


def tap_layer(tap, i: int):
    """The tap as layer i sees it: "q" becomes "layers.i.q"."""
    return tap if tap is no_tap else lambda name, x: tap(f"layers.{i}.{name}", x)


def init_cache(config: ModelConfig, batch_size: int, length: int, dtype=np.float32):
    """An empty KV cache for `length` positions: keys and values (R, S, E) per layer, R = B*K."""
    shape = (batch_size * config.num_key_value_heads, length, config.head_dim)
    return {"length": 0, "layers": [{"k": np.zeros(shape, dtype), "v": np.zeros(shape, dtype)}
                                    for _ in range(config.num_hidden_layers)]}


def write(kept_RSE, new_BKTE, start):
    """Write T new keys (or values) into the cache from position `start` on, in place."""
    new_RTE = new_BKTE.reshape(-1, *new_BKTE.shape[2:])
    kept_RSE[:, start : start + new_RTE.shape[1]] = new_RTE
    return kept_RSE


def loss(params, tokens_BT, targets_BT, config: ModelConfig):
    """Mean cross-entropy of the next token, in nats."""
    logits_BTV, _ = forward(params, tokens_BT, config)
    return cross_entropy(logits_BTV, targets_BT)


def loss_and_grads(params, tokens_BT, targets_BT, config: ModelConfig):
    """The loss and its gradient, a tree like `params`: forward with a recorder, then backward."""
    seen = {}
    logits_BTV, _ = forward(params, tokens_BT, config, tap=lambda name, x: seen.setdefault(name, x))
    value = cross_entropy(logits_BTV, targets_BT)
    dlogits_BTV = cross_entropy_backward(value.dtype.type(1), logits_BTV, targets_BT)
    return value, forward_backward(dlogits_BTV, params, tokens_BT, seen, config)


def forward_backward(dlogits_BTV, params, tokens_BT, seen, config: ModelConfig):
    """The gradient of every parameter, a tree like `params`: the lines of `forward` in reverse.

    `seen[name]` is the activation that the forward pass tapped under this name.
    """
    T = tokens_BT.shape[1]
    turn = rotation(np.arange(T), config, T, params["norm"].dtype)
    dx_BTD, dhead_DV, _ = linear_backward(dlogits_BTV, seen["final_norm"], head(params))
    last_BTD = seen[f"layers.{config.num_hidden_layers - 1}.resid_post"]
    dx_BTD, dnorm = rmsnorm_backward(dx_BTD, last_BTD, params["norm"], config.rms_norm_eps)
    dlayers = [None] * config.num_hidden_layers
    for i in reversed(range(config.num_hidden_layers)):
        dx_BTD, dlayers[i] = block_backward(dx_BTD, params["layers"][i], seen, f"layers.{i}.", turn,
                                            config)
    dembed_VD = embedding_backward(dx_BTD, tokens_BT, params["embed_tokens"])
    grads = {"embed_tokens": dembed_VD, "layers": dlayers, "norm": dnorm}
    if "lm_head" in params:
        grads["lm_head"] = dhead_DV
    elif dhead_DV is not None:                               # None: quantized, not trained
        grads["embed_tokens"] = dembed_VD + dhead_DV.T       # tied: one matrix, used at both ends
    return grads


def block_backward(dy_BTD, layer, seen, at: str, turn, config: ModelConfig):
    """dx_BTD and the layer's gradients: the lines of `block` in reverse.

    `seen[at + name]` is the activation that the forward pass tapped under this name.
    """
    dmlp_in_BTD, dmlp = mlp_backward(dy_BTD, layer, seen, at)
    dmid_BTD, dmlp_norm = rmsnorm_backward(dmlp_in_BTD, seen[at + "resid_mid"],
                                           layer["post_attention_layernorm"], config.rms_norm_eps)
    # resid_post = mid + mlp(norm(mid)): two paths meet
    dmid_BTD = dy_BTD + dmid_BTD
    dattn_in_BTD, dattention = attention_backward(dmid_BTD, layer, seen, at, turn, config)
    dx_BTD, dattn_norm = rmsnorm_backward(dattn_in_BTD, seen[at + "resid_pre"],
                                          layer["input_layernorm"], config.rms_norm_eps)
    # resid_mid = x + attention(norm(x)): two paths meet
    dx_BTD = dmid_BTD + dx_BTD
    return dx_BTD, {"input_layernorm": dattn_norm, **dattention,
                    "post_attention_layernorm": dmlp_norm, **dmlp}


def attention_backward(dy_BTD, layer, seen, at: str, turn, config: ModelConfig):
    """dx_BTD and the gradients of q, k, v and o_proj: the lines of `attention` in reverse."""
    B, T, _ = dy_BTD.shape
    K, G, E = config.num_key_value_heads, config.queries_per_key, config.head_dim
    z_BTO = seen[at + "z"].transpose(0, 3, 1, 2, 4).reshape(B, T, K * G * E)
    dz_BTO, do_proj, do_bias = linear_backward(dy_BTD, z_BTO, layer["o_proj"], layer.get("o_bias"))
    dz_BKGTE = dz_BTO.reshape(B, T, K, G, E).transpose(0, 2, 3, 1, 4)
    dq_BKGTE, dk_BKTE, dv_BKTE = attend_backward(dz_BKGTE, seen[at + "rot_q"], seen[at + "rot_k"],
                                                 seen[at + "v"], 0)
    dk_BKTE = rope_backward(dk_BKTE, seen[at + "k"], *turn)
    dq_BKGTE = rope_backward(dq_BKGTE, seen[at + "q"], *turn)
    x_BTD = seen[at + "attn_in"]
    dv_BTJ = dv_BKTE.transpose(0, 2, 1, 3).reshape(B, T, K * E)
    dk_BTJ = dk_BKTE.transpose(0, 2, 1, 3).reshape(B, T, K * E)
    dq_BTO = dq_BKGTE.transpose(0, 3, 1, 2, 4).reshape(B, T, K * G * E)
    dx_v_BTD, dv_proj, dv_bias = linear_backward(dv_BTJ, x_BTD, layer["v_proj"],
                                                 layer.get("v_bias"))
    dx_k_BTD, dk_proj, dk_bias = linear_backward(dk_BTJ, x_BTD, layer["k_proj"],
                                                 layer.get("k_bias"))
    dx_q_BTD, dq_proj, dq_bias = linear_backward(dq_BTO, x_BTD, layer["q_proj"],
                                                 layer.get("q_bias"))
    dx_BTD = dx_q_BTD + dx_k_BTD + dx_v_BTD                  # x went three ways
    return dx_BTD, _present(layer, q_proj=dq_proj, q_bias=dq_bias, k_proj=dk_proj, k_bias=dk_bias,
                            v_proj=dv_proj, v_bias=dv_bias, o_proj=do_proj, o_bias=do_bias)


def mlp_backward(dy_BTD, layer, seen, at: str):
    """dx_BTD and the gradients of gate, up and down_proj: the lines of `mlp` in reverse."""
    dpost_BTF, ddown_proj, ddown_bias = linear_backward(dy_BTD, seen[at + "mlp_post"],
                                                        layer["down_proj"], layer.get("down_bias"))
    dgate_BTF, dup_BTF = swiglu_backward(dpost_BTF, seen[at + "mlp_pre"], seen[at + "mlp_up"])
    x_BTD = seen[at + "mlp_in"]
    dx_up_BTD, dup_proj, dup_bias = linear_backward(dup_BTF, x_BTD, layer["up_proj"],
                                                    layer.get("up_bias"))
    dx_gate_BTD, dgate_proj, dgate_bias = linear_backward(dgate_BTF, x_BTD, layer["gate_proj"],
                                                          layer.get("gate_bias"))
    dx_BTD = dx_gate_BTD + dx_up_BTD                         # x went two ways
    return dx_BTD, _present(layer, gate_proj=dgate_proj, gate_bias=dgate_bias, up_proj=dup_proj,
                            up_bias=dup_bias, down_proj=ddown_proj, down_bias=ddown_bias)


def _present(layer, **grads):
    """Only the gradients of parameters that the layer has; few models have biases."""
    return {name: grad for name, grad in grads.items() if name in layer}
