"""No NumPy but for the shape of the answer."""

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
