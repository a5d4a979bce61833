"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- averages_keys ----
# pattern @ k.


def attention(q, k, v):
    return softmax(masked(scores(q, k))) @ k


# ---- divided_by_E-paper ----
# Divides by 4 instead of 2: the weights are 1 : sqrt(3).
SECOND = 5.4641


# ---- divided_by_E ----
# Divides by E.


def scores(q, k):
    return q @ k.T / q.shape[-1]


# ---- inf_times_zero ----
# The mask is multiplied with: inf * 0 is nan.


def masked(scores):
    keep = np.tri(len(scores))
    return scores + (1 - keep) * -np.inf


# ---- interleaved_heads ----
# Every heads-th column.


def split_heads(x, heads):
    return np.stack([x[:, h::heads] for h in range(heads)])


# ---- joined_by_reshape ----
# (H, T, E) reshaped to (T, H * E) without a transpose.


def grouped_attention(q, k, v, H, K):
    G, queries, keys, values = H // K, split_heads(q, H), split_heads(k, K), split_heads(v, K)
    z = np.stack([attention(queries[h], keys[h // G], values[h // G]) for h in range(H)])
    return z.reshape(q.shape)


# ---- keys_first ----
# k q^T instead of q k^T.


def scores(q, k):
    return k @ q.T / np.sqrt(q.shape[-1])


# ---- looks_ahead-mask ----
# Gives the scores back as they came.


def masked(scores):
    return scores


# ---- looks_ahead-paper ----
# All three tokens: (8 + 12 - 32) / 8.
SECOND = -1.5


# ---- looks_ahead ----
# No mask at all.


def attention(q, k, v):
    return softmax(scores(q, k)) @ v


# ---- mask_after-paper ----
# The weights 1/8 and 3/8; half of the attention is lost.
SECOND = 2.5


# ---- mask_after ----
# The mask after the softmax.


def attention(q, k, v):
    pattern = softmax(scores(q, k))
    return (pattern * np.tri(len(q))) @ v


# ---- masked_by_zero ----
# Multiplies by a mask of zeros and ones.


def masked(scores):
    return scores * np.tri(len(scores))


# ---- no_scale-paper ----
# The weights 1/10 and 9/10, from scores that nobody divided.
SECOND = 4.4


# ---- no_scale ----
# The dot products as they are.


def scores(q, k):
    return q @ k.T


# ---- no_shift ----
# The formula as it stands in books.


def softmax(x):
    with np.errstate(all="ignore"):
        return np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True)


# ---- not_itself-paper ----
# The second token looks at the first alone.
SECOND = 8


# ---- not_itself ----
# < instead of <=.


def masked(scores):
    T = len(scores)
    return np.where(np.arange(T) < np.arange(T)[:, None], scores, -np.inf)


# ---- one_group ----
# One key/value head for everybody: multi-query attention.


def grouped_attention(q, k, v, H, K):
    k, v = split_heads(k, K)[0], split_heads(v, K)[0]
    return np.concatenate([attention(head, k, v) for head in split_heads(q, H)], axis=-1)


# ---- one_shift ----
# One maximum for the whole array.


def softmax(x):
    with np.errstate(all="ignore"):
        e = np.exp(x - np.max(x))
        return e / np.sum(e, axis=-1, keepdims=True)


# ---- over_everything ----
# No axis: one sum for all.


def softmax(x):
    e = np.exp(x - np.max(x))
    return e / np.sum(e)


# ---- over_queries ----
# Axis 0.


def softmax(x):
    e = np.exp(x - np.max(x, axis=0))
    return e / np.sum(e, axis=0)


# ---- split_by_reshape ----
# Straight to the shape that was asked for.


def split_heads(x, heads):
    T, D = x.shape
    return x.reshape(heads, T, D // heads)


# ---- sqrt_of_D ----
# Scales by the whole width of q before it is split.


def grouped_attention(q, k, v, H, K):
    D, E = q.shape[1], q.shape[1] // H
    q, k, v = split_heads(q, H), split_heads(k, K), split_heads(v, K)
    heads = [softmax(masked(q[h] @ k[h // (H // K)].T / np.sqrt(D))) @ v[h // (H // K)] for h in range(H)]
    return np.concatenate(heads, axis=1)


# ---- sqrt_of_tokens-queries ----
# q.shape[0] is how many queries there are.


def scores(q, k):
    return q @ k.T / np.sqrt(q.shape[0])


# ---- sqrt_of_tokens ----
# len(k) is how many keys there are, not how long one is.


def scores(q, k):
    return q @ k.T / np.sqrt(len(k))


# ---- wrong_group ----
# h % K: neighbours get different keys; also what np.tile instead of np.repeat does.


def grouped_attention(q, k, v, H, K):
    q, k, v = split_heads(q, H), split_heads(k, K), split_heads(v, K)
    k, v = np.tile(k, (H // K, 1, 1)), np.tile(v, (H // K, 1, 1))
    return np.concatenate([attention(q[h], k[h], v[h]) for h in range(H)], axis=-1)


# ---- wrong_triangle-inverted ----
# The mask says who may look, and is used as if it said who may not.


def masked(scores):
    may_look = np.tri(len(scores), dtype=bool)
    return np.where(may_look, -np.inf, scores)


# ---- wrong_triangle ----
# triu instead of tril.


def masked(scores):
    return np.where(np.triu(np.ones(scores.shape, bool)), scores, -np.inf)
