"""Promise: a bias is the difference of log-probabilities; an interval holds the truth; what is
erased cannot be read off by a line."""

import numpy as np
import pytest

from helpers import random_config, random_params
from minillm.errors import UserError
from minillm.in_jax import erase as in_jax
from minillm.in_numpy import erase as in_numpy
from minillm.inspection import bias, probes, score
from minillm.inspection.labour import WOMEN
from minillm.inspection.streams import last_stream, pronoun_odds
from minillm.loading import Model
from minillm.text import tokenizer


@pytest.fixture(scope="module")
def model():
    words = "the baker said that she and he saw the nurse who knew a person she he she he "
    made = tokenizer.train([words * 5], 300)
    rng = np.random.default_rng(0)
    config = random_config(rng, vocab_size=made.vocab_size, max_position_embeddings=64,
                           bos_token_id=0, eos_token_id=0)
    return Model(config, random_params(config, rng), made, "random", (0,))


def activations(rng, n, d, seen):
    """x (n, d) with `seen` directions of variance, and labels that move it."""
    labels = rng.integers(2, size=n)
    x = rng.normal(size=(n, seen)) + np.outer(labels, rng.normal(size=seen))
    return 10 * rng.normal(size=d) + x @ rng.normal(size=(seen, d)), labels


@pytest.mark.parametrize("twin", ["numpy", "jax"])
def test_a_bias_is_what_score_says(model, twin):
    texts = bias.SENTENCES[:3]
    found = bias.measure(model, ["baker", "nurse"], texts, "person", twin)
    for o, job in enumerate(("baker", "nurse")):
        for t, (text, pronouns) in enumerate(texts):
            (mine,), (neutral,) = (score(model, [text.replace("{}", noun)], [pronouns], twin)
                                   for noun in (job, "person"))
            lean = [a.log_p - b.log_p for a, b in (mine, neutral)]
            assert found.log_odds_OT[o, t] == pytest.approx(lean[0] - lean[1], abs=1e-5)
            mass = sum(np.exp(a.log_p) for a in mine)
            assert found.mass_OT[o, t] == pytest.approx(mass, rel=1e-5)


@pytest.mark.parametrize("twin", ["numpy", "jax"])
def test_the_last_stream_gives_the_same_odds(model, twin):
    asked = bias.prompts(["baker", "nurse"], bias.SENTENCES)
    x = last_stream(model, [text for text, _ in asked], twin)
    odds, mass = pronoun_odds(model, x, [pair for _, pair in asked], twin)
    found = bias.measure(model, ["baker", "nurse"], twin=twin)
    np.testing.assert_allclose(odds, found.log_odds_OT.ravel(), atol=2e-5)
    np.testing.assert_allclose(mass, found.mass_OT.ravel(), rtol=2e-5)


def test_no_claim_without_pronouns_and_no_bias_of_one_template(model):
    few = bias.Pronouns(("a", "b"), np.zeros((2, 2)), np.full((2, 2), 0.0099))
    assert not few.claimed
    assert bias.Pronouns(("a", "b"), np.zeros((2, 2)), np.full((2, 2), 0.0101)).claimed
    with pytest.raises(UserError, match="two templates"):
        bias.measure(model, ["baker", "nurse"], bias.SENTENCES[:1])


def test_the_interval_holds_the_true_slope_in_nine_of_ten_worlds():
    rng, inside, shares = np.random.default_rng(1), 0, {job: p / 100 for job, p in WOMEN.items()}
    x = bias.log_odds(np.array(list(shares.values())))
    for world in range(100):
        odds = 0.5 * x[:, None] - 0.3 + rng.normal(size=(len(x), 1)) + rng.normal(size=(len(x), 8))
        found = bias.Pronouns(tuple(shares), odds, np.ones_like(odds))
        _, low, high = bias.compared(found, shares, world, 200).slope
        inside += low <= 0.5 <= high
    assert 90 <= inside < 100


def test_the_line_is_the_least_squares_line():
    x, y = np.random.default_rng(2).normal(size=(2, 20))
    slope, intercept, correlation = bias.line(x, y)
    np.testing.assert_allclose([slope, intercept], np.polyfit(x, y, 1), rtol=1e-10)
    assert correlation == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-10)


@pytest.mark.parametrize("d, seen", [(5, 5), (12, 7), (30, 30)])
@pytest.mark.parametrize("kinds", [1, 3])
def test_what_is_erased_has_no_covariance_with_the_label(d, seen, kinds):
    rng = np.random.default_rng(d + kinds)
    x, labels = activations(rng, 400, d, seen)
    z = labels[:, None] * 1.0 if kinds == 1 else np.eye(3)[labels + (x[:, 0] > x[:, 0].mean())]
    mean, remove = in_numpy.leace(x, z)
    left = in_numpy.erase(x, mean, remove)
    assert np.abs((left - left.mean(axis=0)).T @ (z - z.mean(axis=0))).max() / len(x) < 1e-9
    np.testing.assert_allclose(left.mean(axis=0), x.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(remove @ remove, remove, atol=1e-8)  # once is enough
    assert np.linalg.matrix_rank(remove, tol=1e-6) == min(kinds, 2)


def test_it_moves_less_than_a_projection_at_right_angles():
    x, labels = activations(np.random.default_rng(3), 500, 8, 8)
    left = in_numpy.erase(x, *in_numpy.leace(x, labels[:, None] * 1.0))
    c = (x - x.mean(axis=0)).T @ (labels - labels.mean())
    plain = np.outer((x - x.mean(axis=0)) @ c, c) / (c @ c)
    assert np.sum((x - left) ** 2) < 0.99 * np.sum(plain**2)


def test_no_probe_does_better_than_a_constant_after_erasing():
    rng = np.random.default_rng(4)
    x, labels = activations(rng, 600, 10, 10)
    before = probes.fit(x, labels, 1e-6)
    left = in_numpy.erase(x, *in_numpy.leace(x, labels[:, None] * 1.0))
    after = probes.fit(left, labels, 1e-6)
    assert np.mean((before.log_odds(x) > 0) == labels) > 0.75
    np.testing.assert_allclose(after.log_odds(left), np.log(labels.mean() / (1 - labels.mean())),
                               atol=1e-6)
    other = rng.normal(size=10)
    other = np.outer(other, other) / (other @ other)
    kept = probes.fit(in_numpy.erase(x, x.mean(axis=0), other), labels, 1e-6)
    assert np.ptp(kept.log_odds(x)) > 1  # a random direction erases nothing


def test_the_twins_erase_alike():
    x, labels = activations(np.random.default_rng(5), 300, 6, 6)
    z = labels[:, None] * 1.0
    ours, theirs = (twin.erase(x, *twin.leace(x.astype(np.float32), z.astype(np.float32)))
                    for twin in (in_numpy, in_jax))
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_a_probe_is_at_the_minimum_and_reads_no_control_labels():
    rng = np.random.default_rng(6)
    groups = np.repeat(np.arange(20), 15)
    labels = groups % 2
    x = rng.normal(size=(300, 6))
    x[:, 0] += 2.5 * labels
    x += 2 * rng.normal(size=(20, 6))[groups] * (np.arange(6) > 0)
    probe = probes.fit(x, labels, 0.7)
    p = 1 / (1 + np.exp(-probe.log_odds(x)))
    slope = ((x - probe.mean_D) / probe.scale_D).T @ (p - labels) + 0.7 * probe.weight_D
    assert np.abs(slope).max() < 1e-8 and abs(np.sum(p - labels)) < 1e-5
    assert probes.accuracy(x, labels, groups) > 0.8
    dealt = [probes.control(labels, groups, seed) for seed in range(8)]
    assert all(sum(control[::15]) == 10 for control in dealt)
    assert abs(np.mean([probes.accuracy(x, some, groups) for some in dealt]) - 0.5) < 0.2
