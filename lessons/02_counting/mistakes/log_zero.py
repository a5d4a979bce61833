"""Adds a small number inside the logarithm."""


def cross_entropy(documents, P):
    p = np.concatenate([P[document[:-1], document[1:]] for document in documents])
    return -np.log(p + 1e-10).mean()
