"""A loop over the queries of a group that assigns."""


def attend_backward(dz, q, k, v):
    dq = np.zeros(q.shape)
    for g in range(q.shape[1]):
        p = pattern(q[:, g:g + 1], k)[:, 0]
        dp = dz[:, g] @ v.swapaxes(-1, -2)
        dscores = p * (dp - np.sum(dp * p, axis=-1, keepdims=True)) / np.sqrt(q.shape[-1])
        dq[:, g] = dscores @ k
        dk = dscores.swapaxes(-1, -2) @ q[:, g]
        dv = p.swapaxes(-1, -2) @ dz[:, g]
    return dq, dk, dv
