"""Leaves impossible tokens out."""


def cross_entropy(documents, P):
    losses = []
    for document in documents:
        for before, after in zip(document, document[1:]):
            if P[before, after] > 0:
                losses.append(-np.log(P[before, after]))
    return np.mean(losses)
