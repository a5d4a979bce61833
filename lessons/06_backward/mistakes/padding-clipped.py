"""Padding taken for token 0."""


def cross_entropy_backward(dloss, logits, targets):
    onehot = np.eye(logits.shape[-1])[np.maximum(targets, 0)]
    return (softmax(logits) - onehot) * dloss / np.sum(targets >= 0)
