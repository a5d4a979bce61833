"""Times T."""


def tempered(logits, temperature):
    e = np.exp((logits - np.max(logits)) * temperature)
    return e / np.sum(e)
