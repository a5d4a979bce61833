"""Qwen3 in NumPy, forward only: a LLaMA that normalizes queries and keys.

    q = rope(rmsnorm(x w_q)),  k = rope(rmsnorm(x w_k)), the norm over the numbers of each head

All else is the LLaMA's. Yang et al. 2025, arXiv:2505.09388, section 2. Axes: see ops.py.
Twin: minillm/in_jax/qwen3.py.
"""

from functools import partial

from minillm.architecture.qwen3 import Qwen3Config
from minillm.in_numpy import model
from minillm.in_numpy.model import update_cache
from minillm.in_numpy.ops import attend, linear, no_tap, rmsnorm, rope


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


block = partial(model.block, attention=attention)
block_alone = partial(model.block_alone, block=block)
forward = partial(model.forward, block=block)
embed, final_norm = model.embed, model.final_norm
