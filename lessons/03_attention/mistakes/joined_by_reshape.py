"""(H, T, E) reshaped to (T, H * E) without a transpose."""


def grouped_attention(q, k, v, H, K):
    G, queries, keys, values = H // K, split_heads(q, H), split_heads(k, K), split_heads(v, K)
    z = np.stack([attention(queries[h], keys[h // G], values[h // G]) for h in range(H)])
    return z.reshape(q.shape)
