"""Exercise of lesson 02: a model that counts, and how to measure any model.

A document is a list of tokens that begins and ends with the token 0. The first 0 is given;
everything after it is to be predicted, the last 0 included.
Check yourself:  minillm lesson check 2
"""

import numpy as np

# Work this out on paper. A model gives the four tokens of a text the probabilities 1/2, 1/4, 1/8
# and 1/8. What is its perplexity on this text? (Two digits after the point are enough.)
PERPLEXITY = None


def bigram_counts(documents, vocab_size):
    """counts[a, b]: how often token b comes right after token a inside a document. -> array
    (vocab_size, vocab_size)."""
    raise NotImplementedError


def bigram_probabilities(counts, alpha):
    """P[a, b] = p(b | a), with alpha > 0 added to every count, so that nothing is impossible.
    -> array like `counts`."""
    raise NotImplementedError


def cross_entropy(documents, P):
    """The loss of a bigram model: the mean over all predicted tokens of -ln P[previous, token], in
    nats per token.

    It is infinite where the model calls impossible what happened.
    """
    raise NotImplementedError


def perplexity(nats):
    """The perplexity of a model whose loss is `nats` per token."""
    raise NotImplementedError


def bits_per_byte(nats, tokens, n_bytes):
    """The loss in bits per byte of text: `nats` per token, for a text of `tokens` tokens and
    `n_bytes` bytes."""
    raise NotImplementedError
