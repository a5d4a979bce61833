"""Makes one text of all documents."""


def bigram_counts(documents, vocab_size):
    text = np.concatenate(documents)
    counts = np.zeros((vocab_size, vocab_size))
    np.add.at(counts, (text[:-1], text[1:]), 1)
    return counts
