"""A cut, and nothing else."""


def split(documents, share):
    cut = len(documents) - round(share * len(documents))
    return documents[:cut], documents[cut:]
