"""Exercise of lesson 01: a byte-pair tokenizer.

A token is a number. The numbers 0 to 255 are the bytes; the first merge makes the token 256, the
second 257, and so on. A word is a sequence of tokens; at first, its UTF-8 bytes.
Check yourself:  minillm lesson check 1
"""

# Work this out on paper. The text is "näh näh näh" in UTF-8 (ä is the two bytes 195 164; n 110, h
# 104, the space 32). Learn two merges from the whole text, spaces included. How many bytes does a
# token represent, on average, when both are applied to the text? (Among pairs equally frequent,
# the one with the smallest numbers is merged first.)
BYTES_PER_TOKEN = None


def pair_counts(words):
    """How often each pair of neighbouring tokens occurs.

    words: {word: times}, each word a tuple of tokens, `times` how often the text has it. Returns
    {(left, right): count}. A pair never spans two words. In (7, 7, 7) the pair (7, 7) occurs
    twice.
    """
    raise NotImplementedError


def merge(word, pair, new):
    """`word` as a list with `new` in place of every occurrence of `pair`, from left to right
    without overlap.

    merge((7, 7, 7), (7, 7), 256) is [256, 7].
    """
    raise NotImplementedError


def train(words, n):
    """Learn at most n merges; returns the list of pairs, in the order of learning.

    words: {bytes: times}. Each merge takes the most frequent pair; among equals, the smallest
    (left, right). The first new token is 256. Stop when no pair occurs at least twice.
    """
    raise NotImplementedError


def encode(word, merges):
    """The tokens of `word` (bytes), as a list, for the merges that `train` returned.

    A merge learned earlier is applied before one learned later, wherever in the word they are.
    """
    raise NotImplementedError


def decode(tokens, merges):
    """The text of a list of tokens. Bytes that are not UTF-8 become U+FFFD, the replacement
    character."""
    raise NotImplementedError
