"""Every document once only, wherever it comes twice."""


def split(documents, share):
    cut = len(documents) - round(share * len(documents))
    seen, train = set(map(tuple, documents[cut:])), []
    for document in documents[:cut]:
        if tuple(document) not in seen:
            seen.add(tuple(document))
            train.append(document)
    return train, documents[cut:]
