"""Hotter is sharper."""


def soften(logits, temperature):
    e = np.exp(logits * temperature - np.max(logits * temperature, axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
