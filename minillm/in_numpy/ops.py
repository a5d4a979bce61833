"""The operations of a LLaMA in NumPy, each with its backward right under it. Twin: minillm/in_jax/ops.py.

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

`f_backward(dy, *args)` takes the derivative of the loss with respect to f's output and the arguments of f, and returns
the derivatives with respect to those arguments that are arrays of numbers, in their order. `dx` always means
d(loss)/dx. Backward is forward read upwards: each step names the forward line that it undoes.
"""

import numpy as np

from minillm.architecture.adapted import Adapted
from minillm.architecture.quantized import Quantized
from minillm.architecture.rope import frequencies
from minillm.config import IGNORE
from minillm.in_numpy.quantize import dequantize, lookup, matmul

QUERIES = 64  # more of them go through `attend_backward` in two halves: what a cache holds is faster


def no_tap(name: str, x):
    """The default tap: returns x unchanged."""
    return x


def linear(x, w, b=None):
    """y = x w + b, or x w if b is None. x (..., in), w (in, out), b (out,) -> (..., out)."""
    if isinstance(w, Adapted):
        return adapted(x, w.w, w.a, w.b, w.scale, b)
    y = matmul(x, w) if isinstance(w, Quantized) else _times(x, w)
    return y if b is None else y + b


def _times(x, w):
    """x w as one product for the rows of all texts: x @ w would be one for each text."""
    return (x.reshape(-1, x.shape[-1]) @ w).reshape(*x.shape[:-1], w.shape[1])


def linear_backward(dy, x, w, b=None):
    """dx = dy w^T,  dw = x^T dy,  db = sum of dy over rows (None if b is None).

    The rows of all texts count, so x and dy become matrices first: (rows, in) and (rows, out). A
    quantized w is not trained: its dw is None. Of an adapted one, dw is that of the adapter alone.
    """
    if isinstance(w, Adapted):
        dx, da, db, dbias = adapted_backward(dy, x, w.w, w.a, w.b, w.scale, b)
        return dx, {"a": da, "b": db}, dbias
    rows_x = x.reshape(-1, x.shape[-1])
    rows_dy = dy.reshape(-1, dy.shape[-1])
    # y + b: every row used the same b, so the rows add up
    db = None if b is None else np.sum(rows_dy, axis=0)
    if isinstance(w, Quantized):
        return dy @ dequantize(w, dy.dtype).T, None, db
    dx = _times(dy, w.T)                                     # y = x @ w
    dw = rows_x.T @ rows_dy                                  # y = x @ w: and the same w
    return dx, dw, db


def adapted(x, w, a, b, scale: float, bias=None):
    """y = x w + scale (x a) b + bias: a matrix w that stays, and LoRA's change of it.

    x (..., in), w (in, out), a (in, r), b (r, out). Hu et al. 2021, arXiv:2106.09685, eq. 3.
    """
    return linear(x, w, bias) + scale * (x @ a) @ b


def adapted_backward(dy, x, w, a, b, scale: float, bias=None):
    """With h = x a:  dh = scale dy b^T,  dx = dy w^T + dh a^T,  da = x^T dh,  db = scale h^T dy.

    Returns dx, da, db, dbias; w is a constant, so that its gradient takes neither time nor memory.
    """
    rows_x, rows_dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
    dbias = None if bias is None else np.sum(rows_dy, axis=0)    # y = ... + bias
    db = scale * (rows_x @ a).T @ rows_dy                        # y = ... + scale h @ b
    dh = scale * dy @ b.T                                        # y = ... + scale h @ b
    da = rows_x.T @ dh.reshape(-1, dh.shape[-1])                 # h = x @ a
    w_IO = dequantize(w, dy.dtype) if isinstance(w, Quantized) else w
    dx = dy @ w_IO.T + dh @ a.T                                  # x went two ways
    return dx, da, db, dbias


def embedding(tokens_BT, table_VD):
    """Row lookup: x[b, t] = table[tokens[b, t]]. -> (B, T, D)."""
    return lookup(tokens_BT, table_VD) if isinstance(table_VD, Quantized) else table_VD[tokens_BT]


def embedding_backward(dx_BTD, tokens_BT, table_VD):
    """dtable: each row sums dx over all positions of its token. Token ids have no derivative, and a
    quantized table is not trained: None."""
    if isinstance(table_VD, Quantized):
        return None
    dtable_VD = np.zeros_like(table_VD)
    # x = table[tokens]: a row used twice is added to twice
    np.add.at(dtable_VD, tokens_BT, dx_BTD)
    return dtable_VD


def rmsnorm(x, weight, eps: float):
    """y = weight * x / sqrt(mean(x^2) + eps), mean over the last axis. x (..., D), weight (D,).

    Zhang and Sennrich 2019, arXiv:1910.07467, eq. 4.
    """
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    return weight * (x * scale)


def rmsnorm_backward(dy, x, weight, eps: float):
    """With n = x * scale:  dx = scale * (dn - n * mean(dn * n)).

    dweight is the sum of dy * n over all rows.
    """
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    n = x * scale
    dweight = np.sum((dy * n).reshape(-1, x.shape[-1]), axis=0)     # y = weight * n
    dn = dy * weight                                                # y = weight * n
    # n = x * scale, and x is inside scale too
    dx = scale * (dn - n * np.mean(dn * n, axis=-1, keepdims=True))
    return dx, dweight


def softmax(x):
    """p = exp(x) / sum(exp(x)) over the last axis; x is shifted by its maximum against overflow."""
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    e /= np.sum(e, axis=-1, keepdims=True)
    return e


def softmax_backward(dp, x):
    """dx = p * (dp - sum(dp * p)): raising one x lowers all the other p."""
    return _through_softmax(dp, softmax(x))


def _through_softmax(dp, p):
    """`softmax_backward` where p is known already."""
    return p * (dp - np.sum(dp * p, axis=-1, keepdims=True))


def rotation(positions_T, config, length: int, dtype):
    """cos and sin of the angles position * frequency_i for i < E/2. -> two arrays (T, E/2).

    frequency_i = theta^(-2i/E), unless the config stretches it for texts of `length` tokens (see
    architecture/rope.py). Su et al. 2021, arXiv:2104.09864, eq. 15. The angles are computed in
    float32 (in `dtype` if that is wider), as in Hugging Face.
    """
    frequency, growth = frequencies(config, length)
    angle = positions_T.astype(dtype)[:, None] * frequency.astype(dtype)
    return growth * np.cos(angle), growth * np.sin(angle)


def rope(x, cos, sin):
    """Rotate each pair (x_i, x_{i+E/2}) by its angle, as Hugging Face does. x (..., T, E)."""
    first, second = np.split(x, 2, axis=-1)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def rope_backward(dy, x, cos, sin):
    """dx: dy rotated by the opposite angle. The angles have no derivative."""
    return rope(dy, cos, -sin)


def attend(q_BKGTE, k_BKSE, v_BKSE, start, slopes_KG=None, tap=no_tap):
    """z = softmax(q k^T / sqrt(E)) v; query t sees the keys s <= start + t. -> (B, K, G, T, E).

    The first query is at position `start`, the first key at position 0. The G query heads of a
    group share one key/value head; keys are never copied. Models without rotary positions pass
    `slopes_KG`: each head's score falls by its slope per step back (see `distance`).
    Vaswani et al. 2017, arXiv:1706.03762, eq. 1; groups: arXiv:2305.13245.
    """
    T, E = q_BKGTE.shape[-2:]
    # no query sees a later key
    k_BKSE, v_BKSE = k_BKSE[:, :, : start + T], v_BKSE[:, :, : start + T]
    scores_BKGTS = q_BKGTE @ k_BKSE[:, :, None].swapaxes(-1, -2) * E**-0.5
    if slopes_KG is not None:
        back_TS = distance(start, T, k_BKSE.shape[2], slopes_KG.dtype)
        scores_BKGTS = scores_BKGTS - slopes_KG[..., None, None] * back_TS
    scores_BKGTS = tap("scores", np.where(causal(start, T, k_BKSE.shape[2]), scores_BKGTS, -np.inf))
    pattern_BKGTS = tap("pattern", softmax(scores_BKGTS))
    return pattern_BKGTS @ v_BKSE[:, :, None]


def attend_backward(dz_BKGTE, q_BKGTE, k_BKSE, v_BKSE, start, slopes_KG=None):
    """dq, dk, dv; the last two are sums over the G query heads of a group. Slopes are constants."""
    T, E = q_BKGTE.shape[-2:]
    if T > QUERIES:
        first, last = (
            attend_backward(dz_BKGTE[..., some, :], q_BKGTE[..., some, :], k_BKSE, v_BKSE,
                            start + some.start, slopes_KG)
            for some in (slice(0, T // 2), slice(T // 2, T)))
        # each query has its own dq; k and v went to both halves
        return np.concatenate([first[0], last[0]], axis=-2), first[1] + last[1], first[2] + last[2]
    # keys that nobody saw keep a zero
    dk_BKSE, dv_BKSE = np.zeros_like(k_BKSE), np.zeros_like(v_BKSE)
    k_BKSE, v_BKSE = k_BKSE[:, :, : start + T], v_BKSE[:, :, : start + T]
    scores_BKGTS = q_BKGTE @ k_BKSE[:, :, None].swapaxes(-1, -2) * E**-0.5
    if slopes_KG is not None:
        back_TS = distance(start, T, k_BKSE.shape[2], slopes_KG.dtype)
        scores_BKGTS = scores_BKGTS - slopes_KG[..., None, None] * back_TS
    scores_BKGTS = np.where(causal(start, T, k_BKSE.shape[2]), scores_BKGTS, -np.inf)
    pattern_BKGTS = softmax(scores_BKGTS)

    dpattern_BKGTS = dz_BKGTE @ v_BKSE[:, :, None].swapaxes(-1, -2)           # z = pattern @ v
    dv_BKSE[:, :, : start + T] = np.sum(pattern_BKGTS.swapaxes(-1, -2) @ dz_BKGTE, axis=2)
    # pattern = softmax(scores)
    dscores_BKGTS = _through_softmax(dpattern_BKGTS, pattern_BKGTS)
    # scores = q @ k^T / sqrt(E)
    dq_BKGTE = dscores_BKGTS @ k_BKSE[:, :, None] * E**-0.5
    dk_BKSE[:, :, : start + T] = np.sum(dscores_BKGTS.swapaxes(-1, -2) @ q_BKGTE, axis=2) * E**-0.5
    return dq_BKGTE, dk_BKSE, dv_BKSE


def causal(start, T: int, S: int):
    """mask[t, s] is true where s <= start + t: query start + t may see key s. -> (T, S)."""
    return np.arange(S) <= start + np.arange(T)[:, None]


def distance(start, T: int, S: int, dtype):
    """Steps back from the query at position start + t to key s. -> (T, S).

    Press et al. 2021, arXiv:2108.12409, section 3.
    """
    return (start + np.arange(T)[:, None] - np.arange(S)).astype(dtype)


def swiglu(gate, up):
    """y = silu(gate) * up with silu(x) = x / (1 + exp(-x)).

    Shazeer 2020, arXiv:2002.05202, eq. 6.
    """
    return gate * sigmoid(gate) * up


def swiglu_backward(dy, gate, up):
    """dgate = dy * up * silu'(gate),  dup = dy * silu(gate).

    silu'(x) = s + x s (1 - s) with s = sigmoid(x).
    """
    s = sigmoid(gate)
    dgate = dy * up * (s + gate * s * (1 - s))     # y = silu(gate) * up
    dup = dy * gate * s                            # y = silu(gate) * up
    return dgate, dup


def sigmoid(x):
    """y = 1 / (1 + exp(-x)), written with tanh, which cannot overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def sigmoid_backward(dy, x):
    """dx = dy * s (1 - s) with s = sigmoid(x)."""
    s = sigmoid(x)
    return dy * s * (1 - s)


def log_softmax(x):
    """log p = x - log(sum(exp(x))) over the last axis, shifted by the maximum against overflow."""
    shifted = x - np.max(x, axis=-1, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))


def cross_entropy(logits_BTV, targets_BT):
    """Mean of -log softmax(logits)[target] over the targets that are not IGNORE, in nats."""
    counted_BT = targets_BT != IGNORE
    shifted_BTV = logits_BTV - np.max(logits_BTV, axis=-1, keepdims=True)
    log_sum_BT = np.log(np.sum(np.exp(shifted_BTV), axis=-1))
    known_BT1 = np.where(counted_BT, targets_BT, 0)[..., None]
    chosen_BT = np.take_along_axis(shifted_BTV, known_BT1, axis=-1)[..., 0]
    count = np.sum(counted_BT).astype(logits_BTV.dtype)
    return np.sum(np.where(counted_BT, log_sum_BT - chosen_BT, 0)) / count


def cross_entropy_backward(dloss, logits_BTV, targets_BT):
    """dlogits = (softmax(logits) - onehot(target)) / number of counted targets."""
    counted_BT = targets_BT != IGNORE
    dlogits_BTV = softmax(logits_BTV)                        # log sum exp
    dlogits_BTV[counted_BT, targets_BT[counted_BT]] -= 1     # - chosen logit
    dlogits_BTV *= dloss / np.sum(counted_BT).astype(logits_BTV.dtype)
    dlogits_BTV[~counted_BT] = 0
    return dlogits_BTV
