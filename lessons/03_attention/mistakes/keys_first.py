"""k q^T instead of q k^T."""


def scores(q, k):
    return k @ q.T / np.sqrt(q.shape[-1])
