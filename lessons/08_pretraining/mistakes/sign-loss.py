"""The log-probability, without the minus."""


def loss(logits, targets):
    counted = targets != IGNORE
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.mean((shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))[counted, targets[counted]])
