"""h % K: neighbours get different keys; also what np.tile instead of np.repeat does."""


def grouped_attention(q, k, v, H, K):
    q, k, v = split_heads(q, H), split_heads(k, K), split_heads(v, K)
    k, v = np.tile(k, (H // K, 1, 1)), np.tile(v, (H // K, 1, 1))
    return np.concatenate([attention(q[h], k[h], v[h]) for h in range(H)], axis=-1)
