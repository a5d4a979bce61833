"""The operations of a LLaMA in JAX. Twin: minillm/in_numpy/ops.py, which also holds every backward; here `jax.grad` is.

Axes are letters at the end of a name:

| letter | axis                    | letter  | axis                       |
|--------|-------------------------|---------|----------------------------|
| B      | batch                   | H       | heads                      |
| T      | query position          | K       | key/value heads            |
| S      | key position            | G = H/K | queries for each key       |
| D      | model                   | E       | head size                  |
| F      | feed-forward            | O = H E | all heads side by side     |
| V      | vocabulary              | J = K E | all keys side by side      |
| N      | steps                   | R = B K | rows of a cache            |

Citations and formulas stand in the twin's docstrings; here stand the differences that JAX makes.
"""

import jax.numpy as jnp
from jax.lax import stop_gradient

from minillm.architecture.adapted import Adapted
from minillm.architecture.quantized import Quantized
from minillm.architecture.rope import frequencies
from minillm.config import IGNORE
from minillm.in_jax.quantize import lookup, matmul

QUERY_BLOCK = 64  # fewer queries than this are not worth a block of their own: see `attend`


def no_tap(name: str, x):
    """The default tap: returns x unchanged."""
    return x


def linear(x, w, b=None):
    """y = x w + b, or x w if b is None. x (..., in), w (in, out), b (out,) -> (..., out)."""
    if isinstance(w, Adapted):
        return adapted(x, w.w, w.a, w.b, w.scale, b)
    y = matmul(x, w) if isinstance(w, Quantized) else x @ w
    return y if b is None else y + b


def adapted(x, w, a, b, scale: float, bias=None):
    """y = x w + scale (x a) b + bias: a matrix w that stays, and LoRA's change of it."""
    return linear(x, w, bias) + scale * (x @ a) @ b


def embedding(tokens_BT, table_VD):
    """Row lookup: x[b, t] = table[tokens[b, t]]. -> (B, T, D)."""
    return lookup(tokens_BT, table_VD) if isinstance(table_VD, Quantized) else jnp.asarray(table_VD)[tokens_BT]


def rmsnorm(x, weight, eps: float):
    """y = weight * x / sqrt(mean(x^2) + eps), mean over the last axis. x (..., D), weight (D,)."""
    scale = 1 / jnp.sqrt(jnp.mean(x * x, axis=-1, keepdims=True) + eps)
    return weight * (x * scale)


def softmax(x):
    """p = exp(x) / sum(exp(x)) over the last axis; x is shifted by its maximum against overflow.

    The shift cancels in the result, so no gradient needs to pass through it.
    """
    e = jnp.exp(x - stop_gradient(jnp.max(x, axis=-1, keepdims=True)))
    return e / jnp.sum(e, axis=-1, keepdims=True)


def rotation(positions_T, config, length: int, dtype):
    """cos and sin of the angles position * frequency_i for i < E/2. -> two arrays (T, E/2).

    The frequencies are constants for texts of `length` tokens. NumPy computes them
    (architecture/rope.py), so that both twins rotate by the same angles.
    """
    frequency, growth = frequencies(config, length)
    angle = positions_T.astype(dtype)[:, None] * frequency.astype(dtype)
    return growth * jnp.cos(angle), growth * jnp.sin(angle)


def rope(x, cos, sin):
    """Rotate each pair (x_i, x_{i+E/2}) by its angle, as Hugging Face does. x (..., T, E)."""
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def attend(q_BKGTE, k_BKSE, v_BKSE, start, slopes_KG=None, tap=no_tap):
    """z = softmax(q k^T / sqrt(E)) v; query t sees the keys s <= start + t. -> (B, K, G, T, E).

    If `start` is known only at run time (decoding with a KV cache), the arrays cannot be shortened
    and only the mask hides later keys. Long sequences are computed in blocks of queries, so that
    early queries are not multiplied with keys they may not see. Both products have one axis of
    matrices, R: with (B, K, G), XLA takes up to six times as long for a single query.
    """
    B, K, G, T, E = q_BKGTE.shape
    size = max(QUERY_BLOCK, -(-T // 4))
    if isinstance(start, int) and T > size and tap is no_tap:
        return jnp.concatenate([attend(q_BKGTE[..., t : t + size, :], k_BKSE, v_BKSE, start + t,
                                       slopes_KG) for t in range(0, T, size)], axis=-2)
    if isinstance(start, int):
        # no query sees a later key
        k_BKSE, v_BKSE = k_BKSE[:, :, : start + T], v_BKSE[:, :, : start + T]
    q_RNE, k_RSE = q_BKGTE.reshape(B * K, G * T, E), k_BKSE.reshape(B * K, -1, E)
    scores_BKGTS = (q_RNE @ k_RSE.swapaxes(-1, -2)).reshape(B, K, G, T, -1) * E**-0.5
    if slopes_KG is not None:
        back_TS = distance(start, T, k_BKSE.shape[2], slopes_KG.dtype)
        scores_BKGTS = scores_BKGTS - slopes_KG[..., None, None] * back_TS
    scores_BKGTS = tap("scores",
                       jnp.where(causal(start, T, k_BKSE.shape[2]), scores_BKGTS, -jnp.inf))
    pattern_BKGTS = tap("pattern", softmax(scores_BKGTS))
    z_RNE = pattern_BKGTS.reshape(B * K, G * T, -1) @ v_BKSE.reshape(B * K, -1, E)
    return z_RNE.reshape(q_BKGTE.shape)


def causal(start, T: int, S: int):
    """mask[t, s] is true where s <= start + t: query start + t may see key s. -> (T, S)."""
    return jnp.arange(S) <= start + jnp.arange(T)[:, None]


def distance(start, T: int, S: int, dtype):
    """Steps back from the query at position start + t to key s. -> (T, S)."""
    return (start + jnp.arange(T)[:, None] - jnp.arange(S)).astype(dtype)


def swiglu(gate, up):
    """y = silu(gate) * up with silu(x) = x / (1 + exp(-x))."""
    return gate * sigmoid(gate) * up


def sigmoid(x):
    """y = 1 / (1 + exp(-x)), written with tanh, which cannot overflow."""
    return 0.5 * (1 + jnp.tanh(0.5 * x))


def log_softmax(x):
    """log p = x - log(sum(exp(x))) over the last axis, shifted by the maximum against overflow."""
    shifted = x - stop_gradient(jnp.max(x, axis=-1, keepdims=True))
    return shifted - jnp.log(jnp.sum(jnp.exp(shifted), axis=-1, keepdims=True))


def cross_entropy(logits_BTV, targets_BT):
    """Mean of -log softmax(logits)[target] over the targets that are not IGNORE, in nats."""
    counted_BT = targets_BT != IGNORE
    shifted_BTV = logits_BTV - stop_gradient(jnp.max(logits_BTV, axis=-1, keepdims=True))
    log_sum_BT = jnp.log(jnp.sum(jnp.exp(shifted_BTV), axis=-1))
    known_BT1 = jnp.where(counted_BT, targets_BT, 0)[..., None]
    chosen_BT = jnp.take_along_axis(shifted_BTV, known_BT1, axis=-1)[..., 0]
    count = jnp.sum(counted_BT).astype(logits_BTV.dtype)
    return jnp.sum(jnp.where(counted_BT, log_sum_BT - chosen_BT, 0)) / count
