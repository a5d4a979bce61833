"""Row and column exchanged."""


def bigram_counts(documents, vocab_size):
    counts = np.zeros((vocab_size, vocab_size))
    for document in documents:
        for before, after in zip(document, document[1:]):
            counts[after, before] += 1
    return counts
