"""The same text twice: inside a training set, or in the training set and in the test."""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence


def normal_form(text: str) -> str:
    """A text without what copies differ in: capitals, runs of white space, forms of Unicode."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def deduplicated(documents: Iterable[str]) -> list[str]:
    """The documents without later copies, in order. Two are copies if the SHA-256 of their
    `normal_form` is the same.

    Lee et al. 2022, arXiv:2107.06499, section 4, also remove long strings that occur twice inside
    different documents; this does not.
    """
    seen, kept = set(), []
    for text in documents:
        digest = hashlib.sha256(normal_form(text).encode()).digest()
        if digest not in seen:
            seen.add(digest)
            kept.append(text)
    return kept


def ngrams(document: Sequence, n: int) -> set[tuple]:
    """The different runs of n neighbours of a sequence of words or token ids."""
    return {tuple(document[i : i + n]) for i in range(len(document) - n + 1)}


def overlap(train: Iterable[Sequence], test: Iterable[Sequence], n: int) -> list[float]:
    """Of each test document, the share of its different n-grams that occur in training too.

    NaN for a document shorter than n. GPT-3 took n = 13 words (Brown et al. 2020,
    arXiv:2005.14165, appendix C).
    """
    known = set().union(*(ngrams(document, n) for document in train))
    found = (ngrams(document, n) for document in test)
    return [len(grams & known) / len(grams) if grams else float("nan") for grams in found]
