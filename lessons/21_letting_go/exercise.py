"""Exercise of lesson 21: what a model keeps, and what to look for before you let it go.

A secret is one of S that are possible, numbered from 0. log_p (S,) is what a model says of each,
as logarithms, a NumPy array in float64. A document is a text, or a list of token ids.
Check yourself:  minillm lesson check 21
"""

import hashlib

import numpy as np

# Work this out on paper. 1,024 secrets are possible. The one that was planted is the fourth most
# probable of them. How many bits is its exposure?
EXPOSURE = None


def rank(log_p, secret):
    """The place of a secret, the most probable first: a whole number from 1 to S.

    Of several that are equally probable, each has the last place of them: a model without any
    opinion gives nothing away.
    """
    raise NotImplementedError


def exposure(log_p, secret):
    """log2(S) - log2(rank of the secret): one number, in bits."""
    raise NotImplementedError


def deduplicated(documents):
    """The documents (a list of texts) without copies, in the order given; the first copy stays.

    Two are copies if they differ alone in capitals, in white space at the ends, and in how much of
    it is between words ("A  cat\\n" and "a cat"; "acat" is another text). What stays is unchanged.
    Keep a set of hashes, not of texts: a set of all texts does not fit into memory
    (hashlib.sha256(text.encode()).digest()).
    """
    raise NotImplementedError


def overlap(train, test, n):
    """The share of the different n-grams of `test` that occur in `train`: one number.

    `train` is a list of documents, `test` one document; a document is a list of token ids. An
    n-gram is n neighbours in one document, as a tuple. `test` has at least n tokens.
    """
    raise NotImplementedError


def learned(tokens, keep, before):
    """Which tokens of a text count in the goldfish loss: a list of True and False, as long.

    Token t does not count if the sum of the `before` tokens just before it is a multiple of `keep`
    (the page's k: about one token in k is left out, the others are kept). The sum takes the place
    of the hash: it is the same in every copy. The first `before` tokens count always. tokens: a
    list of whole numbers.
    """
    raise NotImplementedError
