"""Exercise of lesson 09: from probabilities to text.

Letters: V tokens in the vocabulary, T new tokens, S places of a cache, E size of a head.
Probabilities are arrays (V,) that add up to 1. All arrays are NumPy's, in float64.
Check yourself:  minillm lesson check 9
"""

import numpy as np

# Work this out on paper. Four tokens A, B, C, D have the logits ln 4, ln 3, ln 2, ln 1. With
# temperature 1/2, and then top-p with 0.8 (the fewest tokens that reach it take part, and share
# out everything): how probable is B?
PROBABILITY = None


def sample(p, coin):
    """The token that a coin in [0, 1) falls on, with the tokens laid end to end in their order:
    token 0 has [0, p[0]). -> int."""
    raise NotImplementedError


def tempered(logits, temperature):
    """The probabilities at a temperature above 0. logits (V,) -> (V,). Logits may be as large as
    1000."""
    raise NotImplementedError


def top_p(p, threshold):
    """Keep the fewest most probable tokens that reach the threshold; they share out everything. p
    (V,) -> (V,), 0 for the others.

    The order of the tokens stays as it is.
    """
    raise NotImplementedError


def remember(kept, new, length):
    """A cache that holds `length` rows, and now T more. kept (S, E), new (T, E) -> (S, E).

    Rows after those that it holds are free: what is in them means nothing. You may write into
    `kept`.
    """
    raise NotImplementedError


def attend(q, k, v, kept_k, kept_v, length):
    """Causal attention of T new tokens that come after `length` old ones. q, k, v (T, E) -> z
    (T, E), kept_k, kept_v.

    kept_k and kept_v (S, E) hold the keys and values of the old tokens; put the new ones there
    too. Each new token sees all old tokens, the new ones before it, and itself. Positions are
    already in q and k.
    """
    raise NotImplementedError


def generate(model, prompt, coins, end):
    """The list of tokens that a model writes after `prompt`, a list: at most one a coin, up to the
    token `end`, which is left out.

    `model(tokens, cache) -> p, cache` reads a list of tokens after those that its cache has seen
    (None: nothing yet), and gives the probabilities of the token after them. It should read no
    token twice, and no token whose probabilities are not needed.
    """
    raise NotImplementedError


def until(pieces, stop):
    """Yield a text, which comes in pieces, up to where the first of the strings in the tuple
    `stop` begins: neither that one nor anything after it is shown.

    A stop string may be spread over several pieces. What is shown cannot be taken back, so hold
    back what could still become one: at most the last m - 1 characters, where m is the length of
    the longest stop string. When one is found, ask for no more pieces.
    """
    raise NotImplementedError
