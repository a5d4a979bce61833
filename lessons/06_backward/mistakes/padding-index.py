"""-100 as an index."""


def cross_entropy_backward(dloss, logits, targets):
    onehot = np.eye(logits.shape[-1])[targets]
    return (softmax(logits) - onehot) * dloss / np.sum(targets != -100)
