"""A vocabulary that grows: merges learned on new text go after those that a tokenizer has."""

from collections.abc import Iterable
from itertools import islice

from minillm.errors import UserError
from minillm.text.tokenizer import (
    PATTERN,
    Tokenizer,
    apply_merges,
    count_pretokens,
    from_spec,
    learn_merges,
    token_bytes,
    visible,
)
from minillm.text.tokenizer_json import bpe_spec, foreign_part

__all__ = ["extend", "temperature_shares", "pieces_of_new"]


def extend(tokenizer: Tokenizer, texts: Iterable[str], size: int, min_count: int = 2) -> Tokenizer:
    """A tokenizer of `size` tokens that goes on learning merges from `texts` where the old one
    stopped.

    Old tokens keep their ids and old merges their ranks, so a text without a new pair is cut as
    before. Fewer tokens where no pair occurs `min_count` times. Raises UserError for a tokenizer
    that is not byte-level BPE over minillm's pre-tokens, and where `size` adds nothing.
    """
    foreign = foreign_part(tokenizer.spec, bpe_spec(PATTERN, {}, [], []))
    if foreign:
        raise UserError(f"{foreign}: only a tokenizer that minillm trained can be extended")
    if size <= tokenizer.vocab_size:
        raise UserError(f"vocab_size {size}: the tokenizer has {tokenizer.vocab_size} already: "
                        "give more")
    merges = [tuple(pair.split(" ")) if isinstance(pair, str) else tuple(pair)
              for pair in tokenizer.spec["model"]["merges"]]
    ranks, vocab = {pair: i for i, pair in enumerate(merges)}, dict(tokenizer.vocab)
    symbols = sorted(vocab, key=vocab.__getitem__)
    counts = count_pretokens(texts)
    cut = {pretoken: apply_merges(visible(pretoken), ranks) for pretoken in counts}
    for left, right, _ in learn_merges(counts, symbols, min_count, cut.__getitem__):
        if len(vocab) == size:
            break
        if (left, right) not in ranks:      # two ways to one token are two merges, and one id
            ranks[left, right] = len(ranks)
            vocab.setdefault(left + right, len(vocab))
    return from_spec(bpe_spec(PATTERN, vocab, ranks, tokenizer.special_tokens))


def pieces_of_new(old: Tokenizer, new: Tokenizer) -> list[list[int]]:
    """For each token that only `new` has, in the order of ids: the ids of `old` that its bytes are
    cut into."""
    names = islice(sorted(new.vocab, key=new.vocab.__getitem__), old.vocab_size, None)
    return [old.encode_bytes(token_bytes(name)) for name in names]


def temperature_shares(sizes: Iterable[float], alpha: float) -> list[float]:
    """How often to draw each language: q_i = p_i^alpha / sum_j p_j^alpha, p_i = n_i / sum_j n_j.

    alpha = 1 draws as the texts are, 0 all languages alike; between, small ones more often than
    they occur (Conneau et al. 2019, arXiv:1911.02116, section 3).
    """
    powers = [size**alpha if size else 0.0 for size in sizes]
    return [power / sum(powers) for power in powers]
