"""Erasing a concept from activations, in closed form: LEACE, Belrose et al. 2023, arXiv:2306.03819.

Afterwards no linear classifier of the activations does better than a constant one, and no other
affine map that achieves it moves them less.
"""

import jax.numpy as jnp


def leace(x_ND, z_NK, cov_DD=None):
    """(mean_D, remove_DD) such that x - (x - mean) @ remove.T has no covariance with the labels z.

    Theorem 4.3: remove = W^+ P W with W = (covariance of x)^(-1/2), whitening, and P the orthogonal
    projection onto the columns of W cov(x, z). Labels are one-hot, or one
    number (K = 1). With cov_DD the change is least for activations of that covariance instead,
    such as those of other positions; what is erased stays the same.
    """
    mean_D, centred_NK = x_ND.mean(axis=0), z_NK - z_NK.mean(axis=0)
    x_ND = x_ND - mean_D
    cross_DK = x_ND.T @ centred_NK / len(x_ND)
    cov_DD = x_ND.T @ x_ND / len(x_ND) if cov_DD is None else cov_DD
    values_D, vectors_DD = jnp.linalg.eigh(cov_DD)
    seen_D = values_D > values_D[-1] * 10 * len(values_D) * jnp.finfo(cov_DD.dtype).eps
    root_D = jnp.sqrt(jnp.where(seen_D, values_D, 1))
    whiten_DD = (vectors_DD * jnp.where(seen_D, 1 / root_D, 0)) @ vectors_DD.T
    colour_DD = (vectors_DD * jnp.where(seen_D, root_D, 0)) @ vectors_DD.T
    u_DK, size_K, _ = jnp.linalg.svd(whiten_DD @ cross_DK, full_matrices=False)
    u_DK = u_DK * (size_K > 1e-9 * size_K[0])
    return mean_D, colour_DD @ u_DK @ (u_DK.T @ whiten_DD)


def erase(x, mean_D, remove_DD):
    """x (..., D) without the concept."""
    return x - (x - mean_D) @ remove_DD.T
