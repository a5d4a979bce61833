"""q.shape[0] is how many queries there are."""


def scores(q, k):
    return q @ k.T / np.sqrt(q.shape[0])
