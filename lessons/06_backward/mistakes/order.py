"""dv, dk, dq: in the order in which they are found."""


def attend_backward(dz, q, k, v):
    p = pattern(q, k)
    dp = dz @ v[:, None].swapaxes(-1, -2)
    dv = np.sum(p.swapaxes(-1, -2) @ dz, axis=1)
    dscores = p * (dp - np.sum(dp * p, axis=-1, keepdims=True)) / np.sqrt(q.shape[-1])
    return dv, np.sum(dscores.swapaxes(-1, -2) @ q, axis=1), dscores @ k[:, None]
