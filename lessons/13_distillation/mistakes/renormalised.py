"""The softmax over the kept logits alone."""


def top_k(logits, k):
    ids = np.argsort(-logits, axis=-1)[:, :k]
    return ids, log_soften(np.take_along_axis(logits, ids, axis=-1), 1)
