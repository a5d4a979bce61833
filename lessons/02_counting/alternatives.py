"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- one_hot ----
# Counts by a product of one-hot matrices and a weighted sum over the counts of the text itself.


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


# ---- plain_python ----
# No NumPy but for the shape of the answer.
import math


def bigram_counts(documents, vocab_size):
    counts = [[0] * vocab_size for _ in range(vocab_size)]
    for document in documents:
        for i in range(1, len(document)):
            counts[document[i - 1]][document[i]] += 1
    return counts


def bigram_probabilities(counts, alpha):
    return [[(n + alpha) / (sum(row) + alpha * len(row)) for n in row] for row in counts]


def cross_entropy(documents, P):
    total, predicted = 0.0, 0
    for document in documents:
        for before, after in zip(document, document[1:]):
            if P[before][after] == 0:
                return math.inf
            total += math.log(1 / P[before][after])
            predicted += 1
    return total / predicted


def perplexity(nats):
    return math.e**nats


def bits_per_byte(nats, tokens, n_bytes):
    return math.log2(math.exp(nats)) * (tokens / n_bytes)
