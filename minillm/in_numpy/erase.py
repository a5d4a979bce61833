"""Erasing a concept from activations, in closed form: LEACE, Belrose et al. 2023, arXiv:2306.03819.

Afterwards no linear classifier of the activations does better than a constant one, and no other
affine map that achieves it moves them less.
"""

import numpy as np


def leace(x_ND, z_NK, cov_DD=None):
    """What erases the labels z (N, K) from activations x (N, D). -> mean (D,), remove (D, D).

    x - (x - mean) remove^T has covariance 0 with z. Theorem 4.3: remove = W^+ P W with the
    whitening W = (covariance of x)^(-1/2), and P the orthogonal projection onto the columns
    of W cov(x, z). Labels are one-hot, or one number (K = 1). With cov_DD the change is least for
    activations of that covariance instead, such as those of other positions; what is erased stays
    the same.
    """
    mean_D, centred_NK = x_ND.mean(axis=0), z_NK - z_NK.mean(axis=0)
    x_ND = x_ND - mean_D
    cross_DK = x_ND.T @ centred_NK / len(x_ND)
    cov_DD = x_ND.T @ x_ND / len(x_ND) if cov_DD is None else cov_DD
    values_D, vectors_DD = np.linalg.eigh(cov_DD)
    seen_D = values_D > values_D[-1] * 10 * len(values_D) * np.finfo(cov_DD.dtype).eps
    root_D = np.sqrt(np.where(seen_D, values_D, 1))
    whiten_DD = (vectors_DD * np.where(seen_D, 1 / root_D, 0)) @ vectors_DD.T
    colour_DD = (vectors_DD * np.where(seen_D, root_D, 0)) @ vectors_DD.T
    u_DK, size_K, _ = np.linalg.svd(whiten_DD @ cross_DK, full_matrices=False)
    u_DK = u_DK * (size_K > 1e-9 * size_K[0])
    return mean_D, colour_DD @ u_DK @ (u_DK.T @ whiten_DD)


def erase(x, mean_D, remove_DD):
    """x - (x - mean) remove^T: x (..., D) without the concept, mean and remove as from `leace`."""
    return x - (x - mean_D) @ remove_DD.T
