"""Lesson 06, the reference solution."""

import numpy as np

FIRST = 3.82  # rms 5, n (0.2, 1.4), dn (10, 5), mean of dn n 4.5: 2 + (10 - 0.2 * 4.5) / 5


# ---- The forwards, given ------------------------------------------------------------------------


def linear(x, w, b):
    return x @ w + b


def embedding(tokens, table):
    return table[tokens]


def rmsnorm(x, weight, eps):
    return weight * (x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps))


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def cross_entropy(logits, targets):
    """Mean over the counted targets of -log softmax(logits)[target]; targets of -100 are padding
    and not counted."""
    counted = targets != -100
    chosen = np.take_along_axis(softmax(logits), np.where(counted, targets, 0)[..., None], axis=-1)[
        ..., 0
    ]
    return -np.sum(np.log(chosen)[counted]) / np.sum(counted)


def rope(x, cos, sin):
    first, second = np.split(x, 2, axis=-1)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def swiglu(gate, up):
    return gate / (1 + np.exp(-gate)) * up


def pattern(q, k):
    """The shares of attention: softmax of the masked scores. q (K, G, T, E), k (K, T, E)
    -> (K, G, T, T)."""
    T, E = q.shape[-2:]
    scores = q @ k[:, None].swapaxes(-1, -2) / np.sqrt(E)
    return softmax(np.where(np.tri(T, dtype=bool), scores, -np.inf))


def attend(q, k, v):
    """Causal attention; the G queries of a group meet the same key/value head. v (K, T, E)
    -> (K, G, T, E)."""
    return pattern(q, k) @ v[:, None]


def numeric(function, x, dy, h=1e-6):
    """dx of any function, slowly, by finite differences: each number of x is moved a little up and
    down. Compare your backward with it:

    numeric(lambda x: rmsnorm(x, weight, eps), x, dy)   and   rmsnorm_backward(dy, x, weight, eps)[0]

    They agree to about eight digits. It is for checking: an answer made with it is recognised and
    does not pass.
    """
    dx = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[place] += h
        below[place] -= h
        dx[place] = np.sum(dy * (function(above) - function(below))) / (2 * h)
    return dx


# ---- The backwards, yours -----------------------------------------------------------------------


def linear_backward(dy, x, w, b):
    rows_dy = dy.reshape(-1, dy.shape[-1])
    return dy @ w.T, x.reshape(-1, x.shape[-1]).T @ rows_dy, rows_dy.sum(axis=0)


def embedding_backward(dx, tokens, table):
    dtable = np.zeros(table.shape)
    np.add.at(dtable, tokens, dx)
    return dtable


def rmsnorm_backward(dy, x, weight, eps):
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    n, dn = x * scale, dy * weight
    dx = scale * (dn - n * np.mean(dn * n, axis=-1, keepdims=True))
    return dx, np.sum(dy * n, axis=(0, 1))


def rope_backward(dy, x, cos, sin):
    return rope(dy, cos, -sin)


def swiglu_backward(dy, gate, up):
    s = 1 / (1 + np.exp(-gate))
    return dy * up * (s + gate * s * (1 - s)), dy * gate * s


def cross_entropy_backward(dloss, logits, targets):
    counted = targets != -100
    dlogits = softmax(logits)
    dlogits[counted, targets[counted]] -= 1
    return dlogits * counted[..., None] * dloss / np.sum(counted)


def attend_backward(dz, q, k, v):
    p = pattern(q, k)
    dp = dz @ v[:, None].swapaxes(-1, -2)
    dv = np.sum(p.swapaxes(-1, -2) @ dz, axis=1)
    dscores = p * (dp - np.sum(dp * p, axis=-1, keepdims=True)) / np.sqrt(q.shape[-1])
    return dscores @ k[:, None], np.sum(dscores.swapaxes(-1, -2) @ q, axis=1), dv
