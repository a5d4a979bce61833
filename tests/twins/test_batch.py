"""Promises: texts written at once are the texts written one by one; rows that end are dropped."""

from dataclasses import replace

import numpy as np
import pytest

import minillm.in_jax as in_jax
import minillm.in_numpy as in_numpy
from helpers import random_config, random_params
from minillm.config import GenerateConfig
from minillm.errors import UserError
from minillm.loading import each_row

TWINS = pytest.mark.parametrize("twin", [in_numpy, in_jax], ids=["numpy", "jax"])
LENGTHS = (3, 1, 7, 20, 2, 3, 4, 59)                       # of prompts; the last fills the context


def written(twin, params, prompts, config, how, stop=(), **options):
    """The tokens of each row, the one that ends it included."""
    rows = [[] for _ in prompts]
    for row, token in twin.generate_batch(params, prompts, config, how, stop, **options):
        rows[row].append(token)
    return rows


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(7)
    config = random_config(rng, max_position_embeddings=60)
    return config, random_params(config, rng), [rng.integers(0, config.vocab_size, n).tolist()
                                                for n in LENGTHS]


@TWINS
@pytest.mark.parametrize("how", [GenerateConfig(30, 0), GenerateConfig(30, 0.8, 5, seed=4),
                                 GenerateConfig(30, 1.2, repetition_penalty=1.3)], ids=str)
def test_rows_are_the_texts_one_by_one(twin, model, how):
    config, params, prompts = model
    alone = [list(twin.generate(params, prompt, config, how)) for prompt in prompts]
    assert written(twin, params, prompts, config, how) == alone
    assert [len(tokens) for tokens in alone] == [30] * 7 + [1]
    stop = sorted({tokens[n] for tokens, n in zip(alone, (3, 5, 9, 2))})
    ended = written(twin, params, prompts, config, how, stop)
    cut = [next((n + 1 for n, token in enumerate(tokens) if token in stop), len(tokens))
           for tokens in alone]
    assert ended == [tokens[:n] for tokens, n in zip(alone, cut)] and min(cut) < 10


@TWINS
def test_each_row_has_the_coins_that_it_is_given(twin, model):
    config, params, prompts = model
    coins = [np.random.default_rng(seed).random(9, np.float32) for seed in range(len(prompts))]
    how = GenerateConfig(9, 0.9)
    rows = written(twin, params, prompts, config, how, coins_BN=coins, room=70)
    assert rows == [list(twin.generate(params, prompt, config, replace(how, seed=seed)))
                    for seed, prompt in enumerate(prompts)]


@TWINS
def test_rows_that_end_are_dropped(twin, model, monkeypatch):
    """All rows but one end at their first token: that one goes on alone, or nearly so."""
    import importlib
    batch, sizes = importlib.import_module(twin.__name__ + ".batch"), []
    config, params, _ = model
    how = GenerateConfig(40, 0)
    alone = [written(twin, params, [[token]], config, how)[0] for token in range(8)]
    stop = {tokens[0] for tokens in alone[1:]} - set(alone[0])
    prompts = [[0], *([n] for n, tokens in enumerate(alone) if tokens[0] in stop)]
    assert len(prompts) >= 4, "a case in which rows end at once"
    name = "batch_step" if twin is in_numpy else "_steps"
    step = getattr(batch, name)
    monkeypatch.setattr(batch, name, lambda *arguments: (
        sizes.append(arguments[1 if twin is in_numpy else 2].shape[-2 if twin is in_numpy else 1]),
        step(*arguments))[1])
    rows = written(twin, params, prompts, config, how, stop)
    assert rows == [alone[0], *(alone[prompt[0]][:1] for prompt in prompts[1:])]
    assert sizes[0] == len(prompts) and 4 * sizes[-1] <= len(prompts) + 3


@TWINS
def test_bad_prompts_and_numbers_are_refused(twin, model):
    config, params, _ = model
    for bad, word in (([], "empty"), ([config.vocab_size], "vocab_size"), ([0] * 60, "60 tokens")):
        with pytest.raises(UserError, match=word):
            written(twin, params, [[1], bad], config, GenerateConfig(3))
    broken = params | {"norm": params["norm"] * np.float32(np.nan)}
    with pytest.raises(UserError, match="not finite"):
        written(twin, broken, [[1], [2, 3]], config, GenerateConfig(3))


def test_tokens_of_other_rows_wait():
    pairs = [(0, 1), (1, 2), (2, 3), (0, 4), (1, 5), (0, 6)]
    read = []
    rows = each_row((read.append(pair) or pair for pair in pairs), 3)
    assert next(rows[0]) == 1 and read == pairs[:1]
    assert [list(rows[n]) for n in (2, 1, 0)] == [[3], [2, 5], [4, 6]]
