"""Promises of DPO and GRPO: gradients by hand are right, a pair that is told apart costs little, an
answer above its group goes up, the clip holds, and the estimate of KL is right on average."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import minillm.in_jax.preference as jax_preference
import minillm.in_jax.tune as jax_tune
import minillm.in_numpy.preference as numpy_preference
import minillm.in_numpy.tune as numpy_tune
from helpers import assert_close, random_config, random_params
from minillm.architecture.adapters import init_adapters
from minillm.architecture.tree import flatten, tree_map
from minillm.config import TuneConfig

HOW = TuneConfig(method="grpo", beta=0.3, clip=0.2)


def arguments(name, rng):
    B, T, V = 2 * rng.integers(1, 4), rng.integers(2, 6), rng.integers(3, 20)
    targets = rng.integers(0, V, (B, T))
    targets[0, 0] = -100
    if name == "token_log_p":
        return 3 * rng.standard_normal((B, T, V)), targets
    log_p, old, reference = 0.5 * rng.standard_normal((3, B, T)) - 1
    if name == "dpo":
        return log_p, reference, 0.7
    return log_p, old, reference, rng.standard_normal(B), targets, HOW


@pytest.mark.parametrize("name", ["token_log_p", "dpo", "grpo"])
def test_gradients_of_every_loss(name, float64):
    for seed in range(4):
        first, *rest = arguments(name, np.random.default_rng(seed))
        value = getattr(numpy_preference, name)(first, *rest)
        there, back = jax.vjp(lambda x: getattr(jax_preference, name)(x, *rest), first)
        assert_close(value, there, 1e-12)
        dy = np.random.default_rng(9).standard_normal(np.shape(value))
        ours = getattr(numpy_preference, f"{name}_backward")(dy, first, *rest)
        assert_close(ours, back(dy)[0], 1e-9, name)
        assert np.any(ours != 0)


def test_every_loss_has_its_backward_right_under_it():
    names = [name for name, value in vars(numpy_preference).items()
             if getattr(value, "__module__", None) == numpy_preference.__name__]
    for name in ("token_log_p", "dpo", "grpo", "compare"):
        assert names[names.index(name) + 1] == f"{name}_backward"


@pytest.mark.parametrize("how", [HOW, replace(HOW, method="dpo")], ids=lambda how: how.method)
def test_gradients_of_the_whole_model(how, float64):
    rng = np.random.default_rng(5)
    config = random_config(rng, vocab_size=23)
    params = random_params(config, rng, np.float64)
    tokens, targets = rng.integers(0, 23, (2, 4, 8))
    targets[:, :3] = -100
    old, reference = (numpy_preference.read_log_p(params, tokens, targets, config)
                      + 0.1 * rng.standard_normal((2, 4, 8)))
    batch = {"tokens_BT": tokens, "targets_BT": targets, "old_BT": old, "reference_BT": reference,
             "advantage_B": np.array([1.0, -0.5, 0.2, 0.0])}
    value, grads = numpy_preference.compare_loss_and_grads(params, batch, config, how)
    there, expected = jax.jit(
        lambda params: jax_preference.compare_loss_and_grads(params, batch, config, how))(params)
    assert_close(value, there, 1e-12)
    expected = flatten(expected)
    for path, grad in flatten(grads).items():
        assert_close(grad, expected[path], 1e-9, path)


@pytest.mark.parametrize("how", [HOW, replace(HOW, method="dpo")], ids=lambda how: how.method)
def test_gradients_of_adapters(how, float64):
    rng = np.random.default_rng(6)
    config = random_config(rng, vocab_size=23)
    params = random_params(config, rng, np.float64)
    adapters = tree_map(lambda leaf: 0.3 * rng.standard_normal(leaf.shape),
                        init_adapters(params, ("q_proj", "down_proj"), 2, rng))
    tokens, targets = rng.integers(0, 23, (2, 4, 8))
    targets[:, :3] = -100
    old, reference = (numpy_preference.read_log_p(params, tokens, targets, config)
                      + 0.1 * rng.standard_normal((2, 4, 8)))
    batch = {"tokens_BT": tokens, "targets_BT": targets, "old_BT": old, "reference_BT": reference,
             "advantage_B": rng.standard_normal(4)}
    value, grads = numpy_tune.compare_adapters_loss_and_grads(adapters, params, batch, config, how)
    there, expected = jax.jit(lambda adapters: jax_tune.compare_adapters_loss_and_grads(
        adapters, params, batch, config, how))(adapters)
    assert_close(value, there, 1e-12)
    expected = flatten(expected)
    assert set(flatten(grads)) == set(flatten(adapters)) == set(expected)
    for path, grad in flatten(grads).items():
        assert_close(grad, expected[path], 1e-9, path)
        assert np.any(grad != 0)


def test_a_pair_told_apart_costs_little():
    reference = np.full((2, 3), -1.0)
    same = numpy_preference.dpo(reference, reference, 0.5)
    assert abs(same - np.log(2)) < 1e-12
    better = reference + np.array([[1.0], [-1.0]])
    assert numpy_preference.dpo(better, reference, 0.5) < same
    assert numpy_preference.dpo(better[::-1], reference, 0.5) > same


def test_where_the_clip_holds_nothing_is_pushed():
    one, targets = np.zeros((2, 1)), np.zeros((2, 1), int)
    how = replace(HOW, beta=0.0)
    for advantage, gap, moves in ((1, 0.5, False), (1, -0.5, True), (-1, -0.5, False),
                                  (-1, 0.5, True), (1, 0.0, True)):
        advantages = np.full(2, float(advantage))
        push = numpy_preference.grpo_backward(1.0, one + gap, one, one, advantages, targets, how)
        assert np.all((push != 0) == moves)
        assert np.all(np.sign(push) == -advantage * moves)   # the loss falls along the advantage


def test_the_estimate_of_kl_is_right_on_average_and_never_negative():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.full(6, 5.0), 2)
    exact = np.sum(p * np.log(p / q))
    drawn = rng.choice(6, (200_000, 1), p=p)
    log_p, reference = np.log(p)[drawn], np.log(q)[drawn]
    how = replace(HOW, beta=1.0)
    nothing = np.zeros(len(drawn))
    estimates = [numpy_preference.grpo(*(part[rows] for part in (log_p, log_p, reference, nothing,
                                                                 drawn)), how)
                 for rows in (slice(None), slice(1), slice(1, 2), slice(2, 3))]
    assert abs(estimates[0] - exact) < 0.02 * max(exact, 0.1)
    assert min(estimates) >= 0
