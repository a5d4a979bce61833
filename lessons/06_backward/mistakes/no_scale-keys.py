"""Only dq was divided."""


def attend_backward(dz, q, k, v):
    p, root = pattern(q, k), np.sqrt(q.shape[-1])
    dp = dz @ v[:, None].swapaxes(-1, -2)
    dscores = p * (dp - np.sum(dp * p, axis=-1, keepdims=True))
    dq = dscores @ k[:, None] / root
    dk = np.sum(dscores.swapaxes(-1, -2) @ q, axis=1)
    dv = np.sum(p.swapaxes(-1, -2) @ dz, axis=1)
    return dq, dk, dv
