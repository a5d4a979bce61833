"""The largest logits as they are."""


def top_k(logits, k):
    ids = np.argsort(-logits, axis=-1)[:, :k]
    return ids, np.take_along_axis(logits, ids, axis=-1)
