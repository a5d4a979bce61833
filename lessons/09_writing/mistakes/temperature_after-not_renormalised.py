"""p / T."""


def tempered(logits, temperature):
    p = np.exp(logits - np.max(logits))
    return p / np.sum(p) / temperature
