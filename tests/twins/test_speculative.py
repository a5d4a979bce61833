"""Promise: with a draft model, whatever it says, the text has the model's own distribution."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from helpers import assert_close, random_config, random_params
from minillm import in_jax, in_numpy
from minillm.config import GenerateConfig
from minillm.errors import UserError
from minillm.in_numpy.generate import distribution, pick
from minillm.in_numpy.speculative import verify

TWINS = pytest.mark.parametrize("twin", [in_numpy, in_jax], ids=["numpy", "jax"])


def pair(seed, vocab_size=13, context=40, dtype=np.float32):
    """(params, draft, config, draft_config) of two random models of other shapes."""
    rng = np.random.default_rng(seed)
    configs = [random_config(rng, vocab_size=vocab_size, max_position_embeddings=context,
                             num_hidden_layers=layers) for layers in (2, 1)]
    return *(random_params(config, rng, dtype) for config in configs), *configs


@TWINS
@pytest.mark.parametrize("prompts", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_at_temperature_0_it_writes_what_the_model_writes_alone(twin, prompts):
    """A draft of random numbers is accepted now and then, so both branches are taken."""
    params, draft, config, draft_config = pair(0)
    how, accepted = GenerateConfig(10, temperature=0), []
    for prompt in np.random.default_rng(1).integers(0, 13, (prompts, 3)).tolist():
        alone = list(twin.generate(params, prompt, config, how))
        assert list(twin.speculate(params, draft, prompt, config, draft_config, how, ahead=3,
                                   on_pass=accepted.append)) == alone
    assert {0, 1} < set(accepted)


def lengths(step, points: int) -> np.ndarray:
    """How much of [0, 1) a step function of a coin spends at each of 0, ..., points - 1, by
    bisection; each value has one interval."""
    found, begin = np.zeros(points), 0.0
    while begin < 1:
        value, low, high = step(begin), begin, 1.0
        if step(np.nextafter(1, 0)) != value:
            while high - low > 1e-14:
                middle = (low + high) / 2
                low, high = (middle, high) if step(middle) == value else (low, middle)
        found[value] += high - begin
        begin = high
    return found


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), zeros=st.booleans())
def test_the_law_of_two_tokens_is_exact(seed, zeros):
    """All coins of a pass, integrated: the first two tokens have the large model's law, to 1e-9."""
    rng, V = np.random.default_rng(seed), 4

    def law(*shape):
        p = rng.dirichlet(np.ones(V), shape) * (rng.random((*shape, V)) < (0.7 if zeros else 1))
        p[p.sum(axis=-1) == 0] = 1
        return p / p.sum(axis=-1, keepdims=True)

    # of the first token; of the second, by the first
    p1, q1, p2, q2 = law(), law(), law(V), law(V)
    written = np.zeros((V, V))
    for x1, x2 in product(range(V), range(V)):
        p, q = np.stack([p1, p2[x1], p1]), np.stack([q1, q2[x1], 0 * q1])
        drafted = lengths(lambda coin: int(pick(q1, coin)), V)[x1]
        drafted *= lengths(lambda coin: int(pick(q2[x1], coin)), V)[x2]
        if drafted == 0:
            continue

        def after(coin, *coins):
            return int(verify(p, q, np.array([x1, x2, 0]), np.array([*coins, coin]))[1])

        def count(first, second):
            return int(verify(p, q, np.array([x1, x2, 0]), np.array([first, second, 0.5]))[0])

        first = lengths(lambda coin: min(count(coin, 0.5), 1), 2)[1]
        if first < 1:                              # replaced; the next pass begins with p2 itself
            other = lengths(lambda coin: after(coin, 1.0, 0.5), V)
            written += drafted * (1 - first) * other[:, None] * p2
        if first > 0:
            second = lengths(lambda coin: count(0.0, coin) - 1, 2)[1]
            written[x1, x2] += drafted * first * second
            if second < 1:
                other = lengths(lambda coin: after(coin, 0.0, 1.0), V)
                written[x1] += drafted * first * (1 - second) * other
    np.testing.assert_allclose(written, p1[:, None] * p2, atol=1e-9)


@pytest.mark.parametrize("how", [GenerateConfig(2), GenerateConfig(2, 0.7, 4, 0.9, 0.05, 1.5)],
                         ids=["all", "filtered"])
@pytest.mark.parametrize("texts", [250, pytest.param(4000, marks=pytest.mark.slow)])
def test_two_tokens_of_many_texts_have_the_exact_distribution(how, texts):
    """Chi-square against all texts of two tokens, their probabilities from the uncached forward."""
    params, draft, config, draft_config = pair(3, vocab_size=5, dtype=np.float64)

    def law(text):
        logits = in_numpy.forward(params, np.array([text]), config)[0][0, -1]
        return distribution(logits, np.isin(np.arange(5), text), how)

    expected = np.stack([law([1])[t] * law([1, t]) for t in range(5)])
    seen = np.zeros((5, 5))
    for seed in range(texts):
        text = in_numpy.speculate(params, draft, [1], config, draft_config, replace(how, seed=seed),
                                  ahead=2)
        seen[tuple(text)] += 1
    possible = expected > 0
    assert seen[~possible].sum() == 0
    squares = (seen - texts * expected)[possible] ** 2 / (texts * expected)[possible]
    freedom = possible.sum() - 1
    assert squares.sum() < freedom + 4 * np.sqrt(2 * freedom)


@pytest.mark.parametrize("how", [GenerateConfig(36), GenerateConfig(36, 0.8, 5, 0.9, 0.02, 1.2, 4)],
                         ids=["all", "filtered"])
def test_the_twins_write_the_same_with_a_draft(how):
    params, draft, config, draft_config = pair(2)
    written, accepted = [], []
    for twin in (in_numpy, in_jax):
        passes = []
        written.append(list(twin.speculate(params, draft, [1, 2], config, draft_config, how,
                                           on_pass=passes.append)))
        accepted.append(passes)
    assert written[0] == written[1] and len(written[0]) == 36
    assert accepted[0] == accepted[1] and len(accepted[0]) <= 35


def test_a_draft_that_is_the_model_itself_is_always_accepted():
    params, _, config, _ = pair(4)
    passes = []
    list(in_numpy.speculate(params, params, [1], config, config, GenerateConfig(31, 0.9), ahead=5,
                        on_pass=passes.append))
    assert passes == [5] * 5


def test_a_draft_may_have_a_padded_vocabulary_or_be_no_numbers():
    """What the draft cannot say, or says as NaN, costs speed alone."""
    params, _, config, _ = pair(5)
    for size in (9, 20):
        _, draft, _, draft_config = pair(6, vocab_size=size)
        how = GenerateConfig(20, temperature=0)
        alone = list(in_numpy.generate(params, [1, 2], config, how))
        assert list(in_numpy.speculate(params, draft, [1, 2], config, draft_config, how)) == alone
        broken, passes = draft | {"norm": draft["norm"] * np.float32(np.nan)}, []
        assert list(in_numpy.speculate(params, broken, [1, 2], config, draft_config, how,
                                   on_pass=passes.append)) == alone
        assert passes == [0] * 19


@TWINS
def test_it_stops_where_it_should(twin):
    models = params, draft, config, draft_config = pair(7)
    every = list(twin.speculate(params, draft, [1, 2], *models[2:], GenerateConfig(1000, seed=4)))
    assert len(every) == 38                                             # the end of the context
    stop = every[7]
    assert list(twin.speculate(params, draft, [1, 2], *models[2:], GenerateConfig(1000, seed=4),
                               [stop])) == every[: every.index(stop)]
    for count in (0, 1, 6):
        assert list(twin.speculate(params, draft, [1, 2], *models[2:],
                                   GenerateConfig(count, seed=4))) == every[:count]
    _, short, _, short_config = pair(7, context=20)
    most = list(twin.speculate(params, short, [1], config, short_config, GenerateConfig(19)))
    assert len(most) == 19
    with pytest.raises(UserError, match="the draft reads 20 tokens"):
        list(twin.speculate(params, short, [1], config, short_config, GenerateConfig(20)))
    params = params | {"norm": params["norm"] * np.float32(np.nan)}
    with pytest.raises(UserError, match="NaN or infinite"):
        list(twin.speculate(params, draft, [1], config, draft_config))


def test_distribution_is_what_sample_samples_from(float64):
    rng, coins = np.random.default_rng(0), (np.arange(4000) + 0.5) / 4000
    for how in (GenerateConfig(), GenerateConfig(temperature=0.6, top_k=4), GenerateConfig(
            temperature=1.4, top_k=7, top_p=0.8, min_p=0.05, repetition_penalty=1.3)):
        logits, seen = rng.normal(0, 2, 9), np.arange(9) % 2 == 0
        hits = [in_numpy.sample(logits, coin, how, seen) for coin in coins]
        hits = np.bincount(hits, minlength=9)
        assert_close(hits / 4000, distribution(logits, seen, how), 2e-3)
