"""Targets that are shifted already are shifted again in the loss, as where they come from the same row."""


def loss(logits, targets):
    logits, targets = logits[:-1], targets[1:]
    counted = targets != IGNORE
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -np.mean(log_p[counted, targets[counted]])
