"""Queries turned, keys not."""


def attention(q, k, v, theta):
    positions = np.arange(len(q))
    q, k, v = rotate(q, positions, theta), k, v
    scores = np.where(np.tri(len(q), dtype=bool), q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) @ v
