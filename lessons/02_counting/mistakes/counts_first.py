"""Divides by all tokens."""


def cross_entropy(documents, P):
    total = 0.0
    with np.errstate(divide="ignore"):
        for document in documents:
            total -= np.log(P[document[:-1], document[1:]]).sum()
    return total / sum(len(document) for document in documents)
