"""-100 as an index: the hundredth token from the end, or none at all."""


def loss(logits, targets):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -np.mean(log_p[np.arange(len(targets)), targets])
