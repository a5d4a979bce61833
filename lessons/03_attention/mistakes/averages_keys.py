"""pattern @ k."""


def attention(q, k, v):
    return softmax(masked(scores(q, k))) @ k
