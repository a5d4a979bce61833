"""Promise: the probability of every secret is exact, and exposure is what its definition says."""

from itertools import product

import numpy as np
import pytest

from minillm.architecture.llama import init
from minillm.config import GenerateConfig, preset
from minillm.errors import UserError
from minillm.in_numpy.ops import log_softmax
from minillm.inspection.memorised import continued, exposure, log_p_of_secrets, rank
from minillm.loading import Model
from minillm.text import storyworld, tokenizer


@pytest.fixture(scope="module")
def model():
    learned = tokenizer.train(storyworld.corpus(0, "train", 30_000), 300)
    config = preset(1, vocab_size=learned.vocab_size, context=48, initializer_range=0.3)
    return Model(config, init(config, np.random.default_rng(0)), learned, "random")


def test_every_secret_has_the_probability_of_its_text(model):
    prompt = "The code of Ada is "
    found = {twin: log_p_of_secrets(model, prompt, 2, "407", twin) for twin in ("numpy", "jax")}
    assert found["numpy"].shape == (3, 3)
    np.testing.assert_allclose(found["numpy"], found["jax"], rtol=1e-4)
    start = model.prompt_ids(prompt)
    for places in product(range(3), repeat=2):
        ids = model.prompt_ids(prompt + "".join("407"[i] for i in places))
        log_p = log_softmax(model.logits([ids], "numpy")[0].astype(float))
        each = [log_p[t - 1, ids[t]] for t in range(len(start), len(ids))]
        assert len(each) == 2
        np.testing.assert_allclose(found["numpy"][places], sum(each), rtol=1e-4)


def test_all_secrets_together_have_at_most_the_probability_one(model):
    assert 0 < np.exp(log_p_of_secrets(model, "It is ", 2)).sum() <= 1


def test_what_is_not_one_token_a_symbol_is_refused(model):
    with pytest.raises(UserError, match="not 2 tokens"):
        log_p_of_secrets(model, "It is ", 2, ["é", "a"])


def test_rank_and_exposure():
    log_p = np.log(np.arange(1, 1025).reshape(32, 32))
    assert rank(log_p, (31, 31)) == 1 and exposure(log_p, (31, 31)) == 10
    assert exposure(log_p, (31, 28)) == 8 and exposure(log_p, (0, 0)) == 0
    assert exposure(np.zeros((10, 10)), (3, 4)) == 0  # no opinion gives nothing away


def test_exposure_by_chance_is_log2_e():
    log_p = np.random.default_rng(0).normal(size=(10, 10, 10))
    each = [exposure(log_p, places) for places in product(range(10), repeat=3)]
    assert abs(np.mean(each) - np.log2(np.e)) < 0.02


def test_continued_word_for_word_is_what_greedy_writing_does(model):
    rng = np.random.default_rng(1)
    start = model.prompt_ids("Once there")[:4]
    wrote = list(model.continuation(start, "numpy", GenerateConfig(temperature=0, max_new_tokens=6)))
    own, other = np.array([*start, *wrote, 0]), rng.integers(1, 300, 12)
    tokens, starts = np.concatenate([own, other]), np.array([0, len(own)])
    assert len(wrote) == 6
    for twin in ("numpy", "jax"):
        found = continued(model, (tokens, starts), before=3, length=6, twin=twin)
        assert (found["number"], found["share"]) == (2, 0.5)
        assert found["low"] < 0.5 < found["high"]
    assert continued(model, (tokens, starts), before=20)["number"] == 0
