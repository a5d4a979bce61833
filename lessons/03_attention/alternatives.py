"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- einsum ----
# Einstein sums; the queries scaled before the product; the softmax by logarithms; all groups at
# once.
SECOND = 5.0


def scores(q, k):
    return np.einsum("te,se->ts", q * q.shape[-1] ** -0.5, k)


def masked(scores):
    return np.where(np.tri(*scores.shape, dtype=bool), scores, -np.inf)


def softmax(x):
    top = x.max(axis=1, keepdims=True)
    return np.exp(x - top - np.log(np.exp(x - top).sum(axis=1, keepdims=True)))


def grouped_attention(q, k, v, H, K):
    T, E = len(q), q.shape[1] // H
    q_TKGE, k_SKE, v_SKE = q.reshape(T, K, H // K, E), k.reshape(T, K, E), v.reshape(T, K, E)
    s_KGTS = np.einsum("tkge,ske->kgts", q_TKGE, k_SKE) / np.sqrt(E)
    p_KGTS = np.stack([[softmax(masked(head)) for head in group] for group in s_KGTS])
    return np.einsum("kgts,ske->tkge", p_KGTS, v_SKE).reshape(T, H * E)


# ---- large_negative ----
# A large negative number instead of -inf.


def masked(scores):
    T = len(scores)
    return np.where(np.tri(T, dtype=bool), scores, -1e9)


# ---- loops ----
# Everything by loops over tokens, as one would on paper; the future is never computed, so there
# is nothing to mask.


def scores(q, k):
    made = np.empty((len(q), len(k)))
    for t, query in enumerate(q):
        for s, key in enumerate(k):
            made[t, s] = sum(a * b for a, b in zip(query, key)) / len(query) ** 0.5
    return made


def masked(scores):
    made = np.array(scores)
    for t in range(len(made)):
        made[t, t + 1:] = -np.inf
    return made


def softmax(x):
    rows = []
    for row in x:
        e = np.exp(row - row.max())
        rows.append(e / e.sum())
    return np.array(rows)


def attention(q, k, v):
    made = np.zeros((len(q), v.shape[1]))
    for t in range(len(q)):
        weights = softmax(scores(q[t:t + 1], k[:t + 1]))[0]
        for weight, value in zip(weights, v):
            made[t] += weight * value
    return made


def split_heads(x, heads):
    E = x.shape[1] // heads
    return np.stack([x[:, h * E:(h + 1) * E] for h in range(heads)])


# ---- renormalised ----
# Masks after the exponential and divides afterwards, which is the same; repeats keys and values
# for every query head.


def attention(q, k, v):
    s = scores(q, k)
    e = np.tril(np.exp(s - s.max()))
    return e @ v / e.sum(axis=1, keepdims=True)


def split_heads(x, heads):
    return np.array(np.split(x, heads, axis=1))


def grouped_attention(q, k, v, H, K):
    k = np.repeat(split_heads(k, K), H // K, axis=0)
    v = np.repeat(split_heads(v, K), H // K, axis=0)
    z = np.array([attention(*head) for head in zip(split_heads(q, H), k, v)])
    return z.transpose(1, 0, 2).reshape(len(q), -1)
