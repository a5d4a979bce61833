"""What train holds already is taken out of validation."""


def split(documents, share):
    cut = len(documents) - round(share * len(documents))
    seen = set(map(tuple, documents[:cut]))
    return documents[:cut], [document for document in documents[cut:] if tuple(document) not in seen]
