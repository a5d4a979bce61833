"""Everything by loops over tokens, as one would on paper; the future is never computed, so there is nothing to mask."""


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
