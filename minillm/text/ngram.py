"""The baseline that only counts: an interpolated Kneser-Ney n-gram model on lists of token ids.

    p_k(w | h) = (max(c_k(hw) - D_k, 0) + D_k N_k(h) p_{k-1}(w | h')) / c_k(h),      p_0(w) = 1 / vocab_size

h is the context of k - 1 tokens and h' the same without its oldest; c_k(hw) counts hw in the text for the
highest order, and the different tokens seen before hw for the lower ones; c_k(h) = sum over w of c_k(hw);
N_k(h) is the number of different w seen after h; D_k = n1 / (n1 + 2 n2), where n_i is the number of hw with
c_k(hw) = i. A context never seen leaves p_{k-1} as it is. Source: Kneser and Ney 1995, "Improved backing-off
for m-gram language modeling", as interpolated by Chen and Goodman 1999.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class NgramLevel:
    """Counts of one order: sorted keys of n-grams and of their contexts, their counts, the discount."""
    keys: np.ndarray             # int64, the n-grams hw
    counts: np.ndarray           # c_k(hw)
    contexts: np.ndarray         # int64, the contexts h
    totals: np.ndarray           # c_k(h)
    followers: np.ndarray        # N_k(h)
    discount: float


@dataclass(frozen=True)
class NgramModel:
    vocab_size: int
    levels: tuple[NgramLevel, ...]       # orders 1, 2, ...


def _keys(documents: Sequence[Sequence[int]], order: int, vocab_size: int) -> np.ndarray:
    """One int64 for each token: it and the order - 1 tokens before it as digits in base vocab_size + 1.

    Each document is preceded by order - 1 boundary symbols, the digit vocab_size. Raises ValueError if ids
    are out of range, if there are no tokens, or if the keys would not fit into 63 bits.
    """
    base = vocab_size + 1
    if order < 1 or base**order >= 2**63:
        raise ValueError(
            f"order {order} with a vocabulary of {vocab_size}: the order must be at least 1, "
            "and (vocabulary + 1)**order below 2**63")
    pad = np.full(order - 1, vocab_size, np.int64)
    tokens = np.concatenate([pad] + [piece for document in documents
                                     for piece in (np.asarray(document, np.int64), pad)])
    lengths = np.array([len(document) for document in documents], np.int64)
    if lengths.sum() == 0:
        raise ValueError("the documents hold no tokens")
    starts = np.cumsum(lengths + order - 1) - lengths       # where each document's own tokens begin
    own = np.arange(lengths.sum()) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    if tokens[own].min() < 0 or tokens[own].max() >= vocab_size:
        raise ValueError(f"token ids must lie in 0 .. {vocab_size - 1}")
    keys = np.zeros(len(own), np.int64)
    for back in range(order - 1, -1, -1):
        keys = keys * base + tokens[own - back]
    return keys


def _level(keys, counts, base):
    contexts, first, followers = np.unique(keys // base, return_index=True, return_counts=True)
    once, twice = np.sum(counts == 1), np.sum(counts == 2)
    discount = once / (once + 2 * twice) if once else 0.0
    return NgramLevel(keys, counts, contexts, np.add.reduceat(counts, first), followers,
                      float(discount))


def fit_ngram(documents: Sequence[Sequence[int]], order: int, vocab_size: int) -> NgramModel:
    """Count the documents. A model of the end of a document needs an end token at the end of each."""
    base = vocab_size + 1
    keys, counts = np.unique(_keys(documents, order, vocab_size), return_counts=True)
    levels = [_level(keys, counts, base)]
    for shorter in range(order - 1, 0, -1):
        # how many different longer n-grams end in each shorter one
        keys, counts = np.unique(keys % base**shorter, return_counts=True)
        levels.append(_level(keys, counts, base))
    return NgramModel(vocab_size, tuple(reversed(levels)))


def _find(sorted_keys, keys):
    """(index of each key, whether it is there)"""
    index = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return index, sorted_keys[index] == keys


def ngram_log_probabilities(model: NgramModel, documents: Sequence[Sequence[int]]) -> np.ndarray:
    """log p in nats of every token given those before it in its document, document after document.
    """
    base, order = model.vocab_size + 1, len(model.levels)
    keys = _keys(documents, order, model.vocab_size)
    p = np.full(len(keys), 1 / model.vocab_size)
    for k, level in enumerate(model.levels, start=1):
        key = keys % base**k
        row, known = _find(level.keys, key)
        count = np.where(known, level.counts[row], 0)
        context, has_context = _find(level.contexts, key // base)
        mixed = (np.maximum(count - level.discount, 0)
                 + level.discount * level.followers[context] * p)
        p = np.where(has_context, mixed / level.totals[context], p)
    # a discount of zero leaves nothing for what was never seen
    with np.errstate(divide="ignore"):
        return np.log(p)


def ngram_loss(train_docs: Sequence[Sequence[int]], held_out_docs: Sequence[Sequence[int]],
               order: int, vocab_size: int) -> float:
    """Mean nats per held-out document of a model counted on train_docs (order 2: bigram, 3: trigram)."""
    model = fit_ngram(train_docs, order, vocab_size)
    return float(-ngram_log_probabilities(model, held_out_docs).sum() / len(held_out_docs))
