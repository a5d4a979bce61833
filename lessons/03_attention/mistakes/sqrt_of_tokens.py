"""len(k) is how many keys there are, not how long one is."""


def scores(q, k):
    return q @ k.T / np.sqrt(len(k))
