"""p / T, made to add up to 1."""


def tempered(logits, temperature):
    p = np.exp(logits - np.max(logits))
    p = p / np.sum(p) / temperature
    return p / np.sum(p)
