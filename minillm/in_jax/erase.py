"""Erasing a concept from activations, in closed form: LEACE. Twin: minillm/in_numpy/erase.py, which
has the theorem and its source."""

import jax.numpy as jnp


def leace(x_ND, z_NK, cov_DD=None):
    """What erases the labels z (N, K) from activations x (N, D). -> mean (D,), remove (D, D)."""
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
    """x - (x - mean) remove^T: x (..., D) without the concept, mean and remove as from `leace`."""
    return x - (x - mean_D) @ remove_DD.T
