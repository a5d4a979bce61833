"""Takes the logarithm of the mean."""


def cross_entropy(documents, P):
    p = [P[a, b] for document in documents for a, b in zip(document, document[1:])]
    with np.errstate(divide="ignore"):
        return -np.log(sum(p) / len(p))
