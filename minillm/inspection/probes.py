"""Linear probes: can a label be read off activations with a line, and is that due to them?

Accuracy alone says little: a probe may have learned the labels by heart. So it is measured on
examples that it did not see, beside a control task with random labels of the same kinds: Hewitt and
Liang 2019, arXiv:1909.03368, section 2. Their difference is the probe's selectivity.
"""

from dataclasses import dataclass

import numpy as np

STEPS = 30  # of Newton's method


@dataclass(frozen=True)
class Probe:
    """log-odds of label 1 = (x - mean) / scale @ weight + bias."""

    mean_D: np.ndarray
    scale_D: np.ndarray
    weight_D: np.ndarray
    bias: float

    def log_odds(self, x_ND: np.ndarray) -> np.ndarray:
        """(N, D) -> (N,)."""
        return (x_ND - self.mean_D) / self.scale_D @ self.weight_D + self.bias


def fit(x_ND: np.ndarray, labels_N: np.ndarray, penalty: float = 1.0) -> Probe:
    """Logistic regression of labels (N,), 0 or 1, on activations x (N, D), by Newton's method.

    The loss is the sum of -ln p(label), in nats, plus penalty / 2 |weight|^2; the columns of x are
    first given mean 0 and standard deviation 1.
    """
    x_ND = np.asarray(x_ND, np.float64)
    mean_D, scale_D = x_ND.mean(axis=0), x_ND.std(axis=0)
    scale_D = np.where(scale_D > 1e-12, scale_D, 1.0)
    design_NE = np.concatenate([(x_ND - mean_D) / scale_D, np.ones((len(x_ND), 1))], axis=1)
    ridge_E = np.full(design_NE.shape[1], penalty)
    ridge_E[-1] = 1e-9  # the bias is free
    w_E = np.zeros(design_NE.shape[1])
    for _ in range(STEPS):
        p_N = 0.5 + 0.5 * np.tanh(design_NE @ w_E / 2)
        slope_E = design_NE.T @ (p_N - labels_N) + ridge_E * w_E
        curve_EE = (design_NE.T * (p_N * (1 - p_N) + 1e-9)) @ design_NE + np.diag(ridge_E)
        w_E = w_E - np.linalg.solve(curve_EE, slope_E)
    return Probe(mean_D, scale_D, w_E[:-1], float(w_E[-1]))


def accuracy(x_ND, labels_N, groups_N=None, folds: int = 5, seed: int = 0,
             penalty: float = 1.0) -> float:
    """Balanced accuracy of probes of x (N, D), labels (N,), by cross-validation: one number.

    It is the mean over both labels of the share that is right, so chance is 1/2. Examples of one
    group are in one fold, so that a probe cannot recognise what it has seen.
    """
    labels_N = np.asarray(labels_N)
    groups_N = np.arange(len(labels_N)) if groups_N is None else np.asarray(groups_N)
    kinds = np.unique(groups_N)
    fold_of = np.random.default_rng(seed).permutation(len(kinds)) % folds
    fold_N, right_N = fold_of[np.searchsorted(kinds, groups_N)], np.zeros(len(labels_N))
    for fold in range(folds):
        held_N = fold_N == fold
        if held_N.any():
            probe = fit(x_ND[~held_N], labels_N[~held_N], penalty)
            right_N[held_N] = (probe.log_odds(x_ND[held_N]) > 0) == labels_N[held_N]
    return float(np.mean([right_N[labels_N == label].mean() for label in np.unique(labels_N)]))


def control(labels_N, groups_N, seed: int = 0) -> np.ndarray:
    """Labels (N,) of a control task: those of the groups (N,), dealt out again at random."""
    kinds, first_N, of_N = np.unique(groups_N, return_index=True, return_inverse=True)
    return np.random.default_rng(seed).permutation(np.asarray(labels_N)[first_N])[of_N]
