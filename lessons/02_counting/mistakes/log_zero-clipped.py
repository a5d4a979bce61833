"""Clips the probabilities."""


def cross_entropy(documents, P):
    p = np.concatenate([P[document[:-1], document[1:]] for document in documents])
    return -np.log(np.clip(p, 1e-12, None)).mean()
