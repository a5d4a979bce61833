"""The axis of the group stays."""


def attend_backward(dz, q, k, v):
    p, root = pattern(q, k), np.sqrt(q.shape[-1])
    dp = dz @ v[:, None].swapaxes(-1, -2)
    dscores = p * (dp - np.sum(dp * p, axis=-1, keepdims=True))
    dq = dscores @ k[:, None] / root
    dk = dscores.swapaxes(-1, -2) @ q / root
    dv = p.swapaxes(-1, -2) @ dz
    return dq, dk, dv
