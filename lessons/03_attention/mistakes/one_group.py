"""One key/value head for everybody: multi-query attention."""


def grouped_attention(q, k, v, H, K):
    k, v = split_heads(k, K)[0], split_heads(v, K)[0]
    return np.concatenate([attention(head, k, v) for head in split_heads(q, H)], axis=-1)
