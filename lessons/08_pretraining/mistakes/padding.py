"""Padding costs nothing, but is counted."""


def loss(logits, targets):
    counted = targets != IGNORE
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -np.sum(log_p[counted, targets[counted]]) / len(targets)
