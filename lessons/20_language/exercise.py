"""Exercise of lesson 20: a language left out.

A tokenizer is handed to you as merges: a list of pairs of tokens, each token bytes. `cut` of a
text is a list of tokens (bytes) that joined are the text in UTF-8. Tables of a model are NumPy
arrays in float64: embedding (V, D), a row for each token; head (D, V), a column for each token.
Check yourself:  minillm lesson check 20
"""

import numpy as np

# Work this out on paper. A text is 90% English and 10% Vekari (by bytes). You draw languages with
# temperature, alpha = 0.5. What is the share of Vekari in what you draw?
SHARE = None


def fertility(text, cut):
    """Tokens a word: how many tokens of `cut` (a list of bytes) stand for a word of `text`.

    A word is what white space separates.
    """
    raise NotImplementedError


def shares(sizes, alpha):
    """How often each language is drawn, (L,), from how large the texts are, sizes (L,).

    q_i = p_i^alpha / sum of p_j^alpha, with p_i the language's part of all text. A language
    without text is never drawn.
    """
    raise NotImplementedError


def pieces(token, known):
    """The old tokens that a new one is made of: a list of ids.

    `token` is bytes; `known` {bytes: id} are the old tokens, all 256 single bytes among them. Take
    the longest known token that the rest begins with, again and again.
    """
    raise NotImplementedError


def extended(embedding, head, new):
    """(embedding, head) with one more token for each list of ids in `new`.

    embedding (V, D) becomes (V + N, D), head (D, V) becomes (D, V + N). A new token begins as the
    mean of its pieces in both. The arrays that you get stay as they are.
    """
    raise NotImplementedError


def above(losses, counts, floors, words):
    """How far a model is above the floor, in nats a word, over all texts together.

    For each text: losses, its mean loss in nats a token; counts, its tokens; floors, its exact
    -log p in nats; words, how many it has. Arrays (N,).
    """
    raise NotImplementedError
