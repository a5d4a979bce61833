"""The keys of this call."""


def attend(q, k, v, kept_k, kept_v, length):
    scores = np.where(np.tri(len(q), dtype=bool), q @ k.T / np.sqrt(q.shape[1]), -np.inf)
    shares = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    return shares / np.sum(shares, axis=1, keepdims=True) @ v, remember(kept_k, k, length), remember(kept_v, v, length)
