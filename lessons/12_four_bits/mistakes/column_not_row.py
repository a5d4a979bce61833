"""U[:, i]."""


def compensate(w, U, i, scales):
    integers = np.clip(np.round(w[:, i] / scales[:, 0]), -7, 7)
    error = w[:, i] - scales[:, 0] * integers
    w = w - np.outer(error / U[i, i], U[:, i])
    w[:, i] = scales[:, 0] * integers
    return integers.astype(np.int8), w
