"""+=."""


def compensate(w, U, i, scales):
    integers = np.clip(np.round(w[:, i] / scales[:, 0]), -7, 7)
    error = w[:, i] - scales[:, 0] * integers
    w = w.copy()
    w[:, i] = scales[:, 0] * integers
    w[:, i + 1:] += np.outer(error / U[i, i], U[i, i + 1:])
    return integers.astype(np.int8), w
