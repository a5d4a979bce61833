"""Promise: in lesson 07 Adam with everything in its place is minillm's AdamW, Muon is minillm's Muon, and each part that is left out changes the run."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from minillm.architecture.llama import init
from minillm.architecture.tree import flatten
from minillm.config import ModelConfig, TrainConfig
from minillm.course.lessons import find, load_module
from minillm.in_jax import init_state, train_steps

CONFIG = ModelConfig(vocab_size=50, hidden_size=24, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                     head_dim=6, max_position_embeddings=16, initializer_range=0.2)
STEPS, WARMUP = 12, 4


@pytest.fixture(scope="module")
def rules():
    return load_module(find("07").folder / "rules.py", "rules")


@pytest.fixture(scope="module")
def batches():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 50, (STEPS, 4, 17)).astype(np.int32)
    return init(CONFIG, rng), rows[:, :, :-1], rows[:, :, 1:]


def trained(rules, batches, rule, rate):
    return flatten(rules.train(*batches, rate, rule, CONFIG)[0])


@pytest.mark.parametrize("move, rates", [("adam", dict(optimizer="adamw", learning_rate=0.01)),
                                         ("muon", dict(optimizer="muon", learning_rate=0.006, muon_learning_rate=0.02))])
def test_the_whole_rule_is_minillms(move, rates, rules, batches):
    train = TrainConfig(steps=STEPS, warmup_steps=WARMUP, beta2=0.99, weight_decay=rules.DECAY, max_grad_norm=rules.MAX_NORM, **rates)
    assert (rules.MOMENTUM, rules.BETA1, rules.EPS) == (train.muon_momentum, train.beta1, train.eps)
    params, tokens, targets = batches
    expected = flatten(train_steps(init_state(params), tokens, targets, CONFIG, train)[0]["params"])
    actual = trained(rules, batches, rules.Rule(move, decay="outside", warmup=WARMUP), rates.get("muon_learning_rate", 0.01))
    for path, leaf in expected.items():
        np.testing.assert_allclose(actual[path], leaf, rtol=2e-4, atol=2e-5, err_msg=path)


@pytest.fixture(scope="module")
def whole(rules, batches):
    return trained(rules, batches, rules.Rule("adam", decay="outside", warmup=WARMUP), 0.01)


@pytest.mark.parametrize("change", [dict(decay="none"), dict(decay="inside"), dict(warmup=0), dict(beta2=0.999), dict(correct=False), dict(clip=False),
                                    dict(move="sgd"), dict(move="momentum"), dict(move="muon")])
def test_every_part_matters_to_the_run(change, rules, batches, whole):
    rule = rules.Rule("adam", decay="outside", warmup=WARMUP)
    other = trained(rules, batches, replace(rule, **change), 0.01)
    assert max(float(np.max(np.abs(whole[path] - other[path]))) for path in whole) > 1e-5


def test_decay_shrinks_matrices_alone_and_momentum_adds_up(rules):
    matrix, vector, zero = np.ones((2, 2)), np.ones(2), np.zeros(())
    for move in ("sgd", "momentum", "adam"):
        rule = rules.Rule(move, decay="outside")
        with jax.enable_x64(True):
            np.testing.assert_allclose(rules.moved(matrix, 0 * matrix, 0 * matrix, 0 * matrix, 0.5, 3, False, rule)[0], 1 - 0.5 * rules.DECAY)
            np.testing.assert_allclose(rules.moved(vector, 0 * vector, 0 * vector, 0 * vector, 0.5, 3, False, rule)[0], 1)
    w, mean = zero, zero
    for _ in range(3):
        w, mean, _ = rules.moved(w, zero + 1.0, mean, zero, 1.0, 0, False, rules.Rule("momentum"))
    np.testing.assert_allclose(-w, 1 + 1.9 + 2.71, rtol=1e-6)
