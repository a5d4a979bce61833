"""AdamW, clipping and the learning-rate schedule in JAX. Twin: minillm/in_numpy/optimizer.py, which has the sources.

A function here takes and returns trees like `params`; `step` counts from 0.
"""

import jax.numpy as jnp

from minillm.config import TrainConfig
from minillm.params import flatten, tree_map


def learning_rate(step, config: TrainConfig):
    """Linear warm-up, then a cosine down to final_learning_rate * learning_rate at the last step."""
    step = jnp.asarray(step, float)
    warmup = (step + 1) / max(config.warmup_steps, 1)
    progress = (step - config.warmup_steps) / max(config.steps - 1 - config.warmup_steps, 1)
    cosine = 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip(progress, 0, 1)))
    decayed = config.final_learning_rate + (1 - config.final_learning_rate) * cosine
    return config.learning_rate * jnp.where(step < config.warmup_steps, warmup, decayed)


def global_norm(grads):
    """The length of all gradients together: sqrt of the sum of every square."""
    return jnp.sqrt(sum(jnp.sum(g * g) for g in flatten(grads).values()))


def clip(grads, max_norm: float):
    """grads * min(1, max_norm / norm), and the norm before. One factor for all: the direction stays."""
    norm = global_norm(grads)
    factor = jnp.minimum(1, max_norm / jnp.maximum(norm, 1e-12))
    return tree_map(lambda g: g * factor, grads), norm


def init_moments(params):
    """The running means of the gradient and of its square: zeros, like `params`."""
    return {"mean": tree_map(jnp.zeros_like, params), "square": tree_map(jnp.zeros_like, params)}


def adamw(params, grads, moments, step, config: TrainConfig):
    """One update of every parameter; returns params and moments.

        m = beta1 m + (1 - beta1) g          m_hat = m / (1 - beta1^t)        t = step + 1
        s = beta2 s + (1 - beta2) g^2        s_hat = s / (1 - beta2^t)
        w = w - lr (m_hat / (sqrt(s_hat) + eps) + weight_decay w)
    """
    rate = learning_rate(step, config)
    t = jnp.asarray(step, float) + 1
    mean_correction, square_correction = 1 - config.beta1**t, 1 - config.beta2**t

    def update(w, g, m, s):
        m = config.beta1 * m + (1 - config.beta1) * g
        s = config.beta2 * s + (1 - config.beta2) * g * g
        direction = (m / mean_correction) / (jnp.sqrt(s / square_correction) + config.eps)
        decay = config.weight_decay if w.ndim >= 2 else 0.0
        return (w - rate * (direction + decay * w)).astype(w.dtype), m.astype(w.dtype), s.astype(w.dtype)

    updated = tree_map(update, params, grads, moments["mean"], moments["square"])
    params, mean, square = (tree_map(lambda leaf: leaf[i], updated) for i in range(3))
    return params, {"mean": mean, "square": square}
