"""Counts by a product of one-hot matrices and a weighted sum over the counts of the text itself."""


def bigram_counts(documents, vocab_size):
    before = np.eye(vocab_size)[np.concatenate([document[:-1] for document in documents])]
    after = np.eye(vocab_size)[np.concatenate([document[1:] for document in documents])]
    return before.T @ after


def bigram_probabilities(counts, alpha):
    return np.exp(np.log(counts + alpha) - np.log(np.sum(counts, axis=-1) + counts.shape[-1] * alpha)[:, None])


def cross_entropy(documents, P):
    counts = bigram_counts(documents, len(P))
    seen = counts > 0
    with np.errstate(divide="ignore"):
        return np.sum(counts[seen] * -np.log(P[seen])) / counts.sum()
