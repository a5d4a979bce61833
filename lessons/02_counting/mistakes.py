"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- across_documents ----
# Makes one text of all documents.


def bigram_counts(documents, vocab_size):
    text = np.concatenate(documents)
    counts = np.zeros((vocab_size, vocab_size))
    np.add.at(counts, (text[:-1], text[1:]), 1)
    return counts


# ---- alpha_once ----
# Adds alpha to the sum once, not V times.


def bigram_probabilities(counts, alpha):
    return (counts + alpha) / (counts.sum(axis=1, keepdims=True) + alpha)


# ---- base-bits ----
# Nats per byte, called bits.


def bits_per_byte(nats, tokens, n_bytes):
    return nats * tokens / n_bytes


# ---- base-bits_the_other_way ----
# Multiplies by ln 2 where it should divide.


def bits_per_byte(nats, tokens, n_bytes):
    return nats * np.log(2) * tokens / n_bytes


# ---- base-cross_entropy ----
# The loss in bits.


def cross_entropy(documents, P):
    p = np.concatenate([P[document[:-1], document[1:]] for document in documents])
    with np.errstate(divide="ignore"):
        return -np.log2(p).mean()


# ---- base-perplexity ----
# Two to the power of nats.


def perplexity(nats):
    return 2**nats


# ---- base ----
# Takes a loss in bits for one in nats.
PERPLEXITY = np.exp(2.25)


# ---- bytes_per_token ----
# Multiplies by the length of a token.


def bits_per_byte(nats, tokens, n_bytes):
    bytes_per_token = n_bytes / tokens
    return nats / np.log(2) * bytes_per_token


# ---- columns ----
# Normalises the columns.


def bigram_probabilities(counts, alpha):
    smoothed = counts + alpha
    return smoothed / smoothed.sum(axis=0)


# ---- counts_first ----
# Divides by all tokens.


def cross_entropy(documents, P):
    total = 0.0
    with np.errstate(divide="ignore"):
        for document in documents:
            total -= np.log(P[document[:-1], document[1:]]).sum()
    return total / sum(len(document) for document in documents)


# ---- joint ----
# Divides by the number of all pairs.


def bigram_probabilities(counts, alpha):
    return (counts + alpha) / (counts + alpha).sum()


# ---- log_zero-clipped ----
# Clips the probabilities.


def cross_entropy(documents, P):
    p = np.concatenate([P[document[:-1], document[1:]] for document in documents])
    return -np.log(np.clip(p, 1e-12, None)).mean()


# ---- log_zero-left_out ----
# Leaves impossible tokens out.


def cross_entropy(documents, P):
    losses = []
    for document in documents:
        for before, after in zip(document, document[1:]):
            if P[before, after] > 0:
                losses.append(-np.log(P[before, after]))
    return np.mean(losses)


# ---- log_zero ----
# Adds a small number inside the logarithm.


def cross_entropy(documents, P):
    p = np.concatenate([P[document[:-1], document[1:]] for document in documents])
    return -np.log(p + 1e-10).mean()


# ---- mean_of_inverses ----
# Averages 1/p.
PERPLEXITY = (2 + 4 + 8 + 8) / 4


# ---- mean_of_means ----
# The mean of the documents' means.


def cross_entropy(documents, P):
    losses = []
    with np.errstate(divide="ignore"):
        for document in documents:
            losses.append(-np.log(P[document[:-1], document[1:]]).mean())
    return np.mean(losses)


# ---- mean_of_probabilities-cross_entropy ----
# Takes the logarithm of the mean.


def cross_entropy(documents, P):
    p = [P[a, b] for document in documents for a, b in zip(document, document[1:])]
    with np.errstate(divide="ignore"):
        return -np.log(sum(p) / len(p))


# ---- mean_of_probabilities ----
# Averages the probabilities first.
PERPLEXITY = 1 / np.mean([1 / 2, 1 / 4, 1 / 8, 1 / 8])


# ---- not_a_power ----
# The mean surprise itself.
PERPLEXITY = 2.25


# ---- once_only ----
# Relies on += with repeated indices.


def bigram_counts(documents, vocab_size):
    counts = np.zeros((vocab_size, vocab_size))
    for document in documents:
        counts[document[:-1], document[1:]] += 1
    return counts


# ---- per_token ----
# Bits per token.


def bits_per_byte(nats, tokens, n_bytes):
    return nats / np.log(2)


# ---- sign ----
# The mean log-probability.


def cross_entropy(documents, P):
    with np.errstate(divide="ignore"):
        return np.mean(np.log(np.concatenate([P[document[:-1], document[1:]] for document in documents])))


# ---- transposed ----
# Row and column exchanged.


def bigram_counts(documents, vocab_size):
    counts = np.zeros((vocab_size, vocab_size))
    for document in documents:
        for before, after in zip(document, document[1:]):
            counts[after, before] += 1
    return counts
