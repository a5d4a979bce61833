"""The loss in bits."""


def cross_entropy(documents, P):
    p = np.concatenate([P[document[:-1], document[1:]] for document in documents])
    with np.errstate(divide="ignore"):
        return -np.log2(p).mean()
