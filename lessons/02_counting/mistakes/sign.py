"""The mean log-probability."""


def cross_entropy(documents, P):
    with np.errstate(divide="ignore"):
        return np.mean(np.log(np.concatenate([P[document[:-1], document[1:]] for document in documents])))
