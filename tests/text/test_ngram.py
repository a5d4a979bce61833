"""The counting baseline: a probability distribution, and equal to its formula written out."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from minillm.text.ngram import fit_ngram, ngram_log_probabilities, ngram_loss

VOCAB = 4
documents = st.lists(st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=8), min_size=1, max_size=6)


def by_hand(train, order, history, token):
    """p(token | history) by the formulas of the module, with dictionaries instead of arrays."""
    padded = [[VOCAB] * (order - 1) + list(document) for document in train]
    counts = Counter(tuple(document[end - order:end])
                     for document in padded for end in range(order, len(document) + 1))
    levels = {order: counts}
    for shorter in range(order - 1, 0, -1):
        levels[shorter] = Counter(key[1:] for key in levels[shorter + 1])
    history = ([VOCAB] * (order - 1) + list(history))
    p = 1 / VOCAB
    for k in range(1, order + 1):
        context = tuple(history[len(history) - (k - 1):])
        following = {key[-1]: count for key, count in levels[k].items() if key[:-1] == context}
        ones = sum(count == 1 for count in levels[k].values())
        twos = sum(count == 2 for count in levels[k].values())
        discount = ones / (ones + 2 * twos) if ones else 0.0
        if following:
            total = sum(following.values())
            p = (max(following.get(token, 0) - discount, 0) + discount * len(following) * p) / total
    return p


@settings(deadline=None)
@given(documents, st.lists(st.integers(0, VOCAB - 1), max_size=5), st.integers(1, 4))
def test_it_is_the_formula_and_a_distribution(train, history, order):
    model = fit_ngram(train, order, VOCAB)
    p = [np.exp(ngram_log_probabilities(model, [history + [token]])[-1]) for token in range(VOCAB)]
    assert p == pytest.approx([by_hand(train, order, history, token) for token in range(VOCAB)], abs=1e-12)
    assert sum(p) == pytest.approx(1, abs=1e-12)


@settings(deadline=None)
@given(documents, documents, st.integers(1, 4))
def test_loss_is_nats_per_document(train, held_out, order):
    model = fit_ngram(train, order, VOCAB)
    total = sum(-ngram_log_probabilities(model, [document]).sum() for document in held_out)
    assert ngram_loss(train, held_out, order, VOCAB) == pytest.approx(total / len(held_out), rel=1e-12)


def test_it_finds_the_entropy_of_a_chain_of_its_own_order():
    rng = np.random.default_rng(0)
    follow = rng.dirichlet(np.ones(5), size=(5, 5))     # a random second-order chain
    start = rng.dirichlet(np.ones(5), size=6)

    def document():
        tokens = [rng.choice(5, p=start[5])]
        tokens.append(rng.choice(5, p=start[tokens[0]]))
        while len(tokens) < 50:
            tokens.append(rng.choice(5, p=follow[tokens[-2], tokens[-1]]))
        return [int(token) for token in tokens]

    def true_nats(tokens):
        p = [start[5][tokens[0]], start[tokens[0]][tokens[1]]]
        p += [follow[a, b][c] for a, b, c in zip(tokens, tokens[1:], tokens[2:])]
        return -np.log(p).sum()

    train, held_out = [document() for _ in range(600)], [document() for _ in range(50)]
    floor = np.mean([true_nats(tokens) for tokens in held_out])
    assert floor < ngram_loss(train, held_out, 3, 5) < 1.02 * floor < ngram_loss(train, held_out, 2, 5)


def test_a_document_never_reaches_into_the_one_before():
    model = fit_ngram([[0, 1, 2], [3, 1, 2]], 3, VOCAB)
    together = ngram_log_probabilities(model, [[0, 1], [2, 2]])
    apart = np.concatenate([ngram_log_probabilities(model, [document]) for document in ([0, 1], [2, 2])])
    assert np.array_equal(together, apart)


@pytest.mark.parametrize("train, order, vocab_size, message", [
    ([[0, VOCAB]], 2, VOCAB, "token ids"), ([[-1]], 2, VOCAB, "token ids"), ([], 2, VOCAB, "no tokens"),
    ([[], []], 2, VOCAB, "no tokens"), ([[0]], 0, VOCAB, "order"), ([[0]], 5, 50_000, "order")])
def test_what_cannot_be_counted_is_refused(train, order, vocab_size, message):
    with pytest.raises(ValueError, match=message):
        fit_ngram(train, order, vocab_size)
