"""Exercise of lesson 06: the backward of everything in a LLaMA.

Letters: B texts, T tokens, D model, F feed-forward, V vocabulary, K key/value heads, G queries for
each, E head size. Arrays are NumPy's, in float64.
Check yourself:  minillm lesson check 6

The forwards are given. A backward takes the derivative of the loss with respect to what the
forward returned, then the forward's own arguments, and returns the derivatives with respect to the
arguments named, in this order. `dx` always means d(loss)/dx, and has x's shape.
"""

import numpy as np

# Work this out on paper. One token of D = 2 numbers goes through a small block, y = x
# + rmsnorm(x), with
#
#     x = (1, 7)      weight = (5, 1)      eps = 0      dy = (2, 5)
#
# What is the FIRST number of dx?
FIRST = None


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
    chosen = np.take_along_axis(softmax(logits), np.where(counted, targets, 0)[..., None], axis=-1)[..., 0]
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
    """dx, dw, db. dy (B, T, out), x (B, T, in), w (in, out), b (out,): one w and one b served
    every token of every text."""
    raise NotImplementedError


def embedding_backward(dx, tokens, table):
    """dtable (V, D). dx (B, T, D), tokens (B, T). A token may occur in many places.

    What the embedding returned is the x of the model, so the derivative of what was returned is
    called dx here; everywhere else it is dy.
    """
    raise NotImplementedError


def rmsnorm_backward(dy, x, weight, eps):
    """dx, dweight. dy and x (B, T, D), weight (D,)."""
    raise NotImplementedError


def rope_backward(dy, x, cos, sin):
    """dx. dy and x (heads, T, E), cos and sin (T, E/2). The angles have no derivative."""
    raise NotImplementedError


def swiglu_backward(dy, gate, up):
    """dgate, dup. All (T, F)."""
    raise NotImplementedError


def cross_entropy_backward(dloss, logits, targets):
    """dlogits (B, T, V). dloss is a number (1.0 where the loss is the last step), targets (B, T)
    token ids or -100."""
    raise NotImplementedError


def attend_backward(dz, q, k, v):
    """dq, dk, dv. dz and q (K, G, T, E), k and v (K, T, E): the derivatives have the same
    shapes."""
    raise NotImplementedError
