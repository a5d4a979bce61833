"""Divided by T afterwards, and made to add up to 1 again."""


def soften(logits, temperature):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares = e / e.sum(axis=-1, keepdims=True) / temperature
    return shares / shares.sum(axis=-1, keepdims=True)
