"""The mask after the softmax."""


def attention(q, k, v):
    pattern = softmax(scores(q, k))
    return (pattern * np.tri(len(q))) @ v
