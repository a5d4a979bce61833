"""Lesson 03, the reference solution."""

import numpy as np

SECOND = 5  # scores 0 and ln 3, weights 1/4 and 3/4: 8/4 + 4 * 3/4


def scores(q, k):
    return q @ k.T / np.sqrt(q.shape[-1])


def masked(scores):
    T = len(scores)
    return np.where(np.arange(T) <= np.arange(T)[:, None], scores, -np.inf)


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def attention(q, k, v):
    return softmax(masked(scores(q, k))) @ v


def split_heads(x, heads):
    T = len(x)
    return x.reshape(T, heads, -1).transpose(1, 0, 2)


def grouped_attention(q, k, v, H, K):
    q, k, v = split_heads(q, H), split_heads(k, K), split_heads(v, K)
    G = H // K
    return np.concatenate([attention(q[h], k[h // G], v[h // G]) for h in range(H)], axis=-1)
