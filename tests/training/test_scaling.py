"""The scaling law: planted constants come back, the gradient and the frontier are right."""

import numpy as np
import pytest

from minillm.errors import UserError
from minillm.training.scaling import bootstrap, fit, frontier, huber, predict

LAW = np.array([0.9, 30.0, 200.0, 0.45, 0.5])
N, D = (x.ravel() for x in np.meshgrid(np.geomspace(1e4, 1e6, 5), np.geomspace(1e5, 1e7, 5)))


@pytest.mark.parametrize("seed", range(3))
def test_planted_constants_come_back_from_noiseless_losses(seed):
    law = LAW * np.random.default_rng(seed).uniform(0.8, 1.25, size=5)
    np.testing.assert_allclose(fit(N, D, predict(law, N, D)), law, rtol=1e-6)


def test_gradient_by_hand_is_the_slope():
    rng = np.random.default_rng(0)
    theta = np.array([0.1, 3.0, 5.0, 0.4, 0.5]) + 0.1 * rng.normal(size=5)
    loss = predict(LAW, N, D) * np.exp(0.01 * rng.normal(size=len(N)))
    for delta in (1e-3, 10.0):
        h = 1e-6 * np.eye(5)
        slope = [(huber(theta + e, N, D, loss, delta)[0] - huber(theta - e, N, D, loss, delta)[0])
                 / 2e-6 for e in h]
        np.testing.assert_allclose(huber(theta, N, D, loss, delta)[1], slope, rtol=1e-5)


def test_one_wild_run_moves_the_law_little():
    loss = predict(LAW, N, D)
    loss[12] *= 1.5
    np.testing.assert_allclose(fit(N, D, loss), LAW, rtol=0.05)


def test_frontier_is_the_least_loss_at_its_compute():
    C = np.array([1e10, 1e13])
    best_N, best_D = frontier(LAW, C)
    np.testing.assert_allclose(6 * best_N * best_D, C, rtol=1e-12)
    for factor in (0.9, 1.1):
        assert np.all(predict(LAW, best_N * factor, best_D / factor) > predict(LAW, best_N, best_D))


def test_the_interval_covers_the_irreducible_loss_and_is_no_point():
    rng = np.random.default_rng(1)
    loss = predict(LAW, N, D) * np.exp(0.003 * rng.normal(size=len(N)))
    low, high = np.percentile(bootstrap(N, D, loss, 40, rng)[:, 0], [2.5, 97.5])
    assert low < LAW[0] < high and 1e-4 < high - low < 0.3


def test_runs_that_determine_no_floor_have_a_wide_interval_and_finite_constants():
    rng, few = np.random.default_rng(2), np.arange(0, 25, 3)
    loss = predict(LAW, N, D)[few] * np.exp(0.05 * rng.normal(size=len(few)))
    laws = bootstrap(N[few], D[few], loss, 40, rng)
    low, high = np.percentile(laws[:, 0], [2.5, 97.5])
    assert low < LAW[0] < high and high - low > 0.3
    assert np.isfinite(laws).all() and (laws[:, 3:] >= 0).all() and (laws[:, 3:] <= 2).all()


def test_five_runs_leave_no_residual():
    with pytest.raises(UserError, match="^runs: 5"):
        bootstrap(N[:5], D[:5], predict(LAW, N, D)[:5], 3, np.random.default_rng(0))


@pytest.mark.parametrize("runs", [(N[:4], D[:4], N[:4]), (N, D, -N), (N, D, N * np.nan)])
def test_runs_that_fix_no_law_are_refused(runs):
    with pytest.raises(UserError, match="^runs: "):
        fit(*runs)
