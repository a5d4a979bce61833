"""The mean of the documents' means."""


def cross_entropy(documents, P):
    losses = []
    with np.errstate(divide="ignore"):
        for document in documents:
            losses.append(-np.log(P[document[:-1], document[1:]]).mean())
    return np.mean(losses)
