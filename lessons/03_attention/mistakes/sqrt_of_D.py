"""Scales by the whole width of q before it is split."""


def grouped_attention(q, k, v, H, K):
    D, E = q.shape[1], q.shape[1] // H
    q, k, v = split_heads(q, H), split_heads(k, K), split_heads(v, K)
    heads = [softmax(masked(q[h] @ k[h // (H // K)].T / np.sqrt(D))) @ v[h // (H // K)] for h in range(H)]
    return np.concatenate(heads, axis=1)
