"""Relies on += with repeated indices."""


def bigram_counts(documents, vocab_size):
    counts = np.zeros((vocab_size, vocab_size))
    for document in documents:
        counts[document[:-1], document[1:]] += 1
    return counts
