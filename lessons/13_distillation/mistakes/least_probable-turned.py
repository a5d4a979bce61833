"""The right tokens, the most probable last."""


def top_k(logits, k):
    ids = np.argsort(logits, axis=-1)[:, -k:]
    return ids, np.take_along_axis(log_soften(logits, 1), ids, axis=-1)
