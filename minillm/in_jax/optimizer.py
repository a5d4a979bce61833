"""AdamW, Muon, clipping and the learning-rate schedule in JAX. Twin: minillm/in_numpy/optimizer.py.

Functions take and return trees like `params`; `step` counts from 0. The twin has the citations.
"""

import jax.numpy as jnp

from minillm.architecture.tree import flatten, tree_map, unflatten
from minillm.config import TrainConfig
from minillm.in_jax.sharding import alike, share_out


def learning_rate(step, config: TrainConfig):
    """AdamW's learning rate at a step: config.learning_rate times `schedule`."""
    return config.learning_rate * schedule(step, config)


def schedule(step, config: TrainConfig):
    """The share of the peak learning rate at a step: linear warm-up, then a cosine.

    Warm-up gives (step + 1) / warmup_steps, so step 0 already learns. The last step, steps - 1,
    gets final_learning_rate. Loshchilov and Hutter 2016, arXiv:1608.03983, eq. 5.
    """
    step = jnp.asarray(step, float)
    warmup = (step + 1) / max(config.warmup_steps, 1)
    progress = (step - config.warmup_steps) / max(config.steps - 1 - config.warmup_steps, 1)
    cosine = 0.5 * (1 + jnp.cos(jnp.pi * jnp.clip(progress, 0, 1)))
    return jnp.where(step < config.warmup_steps, warmup,
                    config.final_learning_rate + (1 - config.final_learning_rate) * cosine)


def global_norm(grads):
    """The norm of all gradients together: sqrt of the sum of all squares."""
    return jnp.sqrt(sum(jnp.sum(g * g) for g in flatten(grads).values()))


def clip(grads, max_norm: float):
    """grads * min(1, max_norm / norm), and the norm before clipping.

    All gradients get the same factor, so the direction is kept.
    """
    norm = global_norm(grads)
    factor = jnp.minimum(1, max_norm / jnp.maximum(norm, 1e-12))
    return tree_map(lambda g: g * factor, grads), norm


def init_moments(params):
    """Zeros like `params`, for the running means of the gradient and of its square."""
    return {"mean": tree_map(jnp.zeros_like, params), "square": tree_map(jnp.zeros_like, params)}


def adamw(w, g, mean, square, step, config: TrainConfig):
    """One AdamW step of one parameter. Returns w, mean, square.

        mean   = beta1 mean + (1 - beta1) g           t = step + 1
        square = beta2 square + (1 - beta2) g^2
        d      = mean / (1 - beta1^t) / (sqrt(square / (1 - beta2^t)) + eps)
        w      = w - lr (d + weight_decay w)
    """
    t = jnp.asarray(step, float) + 1
    mean = config.beta1 * mean + (1 - config.beta1) * g
    square = config.beta2 * square + (1 - config.beta2) * g * g
    direction = (
        mean / (1 - config.beta1**t) / (jnp.sqrt(square / (1 - config.beta2**t)) + config.eps))
    decay = config.weight_decay if w.ndim >= 2 else 0.0
    return w - learning_rate(step, config) * (direction + decay * w), mean, square


def muon(w, g, mean, step, config: TrainConfig):
    """One Muon step of a matrix, or of several of one shape, (..., in, out). Returns w, mean.

    The momentum is orthogonalized before the step.

        mean = momentum mean + (1 - momentum) g
        d    = sqrt(max(1, out / in)) orthogonalize((1 - momentum) g + momentum mean)
        w    = w - rate (d + weight_decay' w)

    with rate = muon_learning_rate * schedule
    and weight_decay' = weight_decay * learning_rate / muon_learning_rate, so that a matrix decays
    as fast as under AdamW.
    """
    share = schedule(step, config)
    mean = config.muon_momentum * mean + (1 - config.muon_momentum) * g
    direction = orthogonalize((1 - config.muon_momentum) * g + config.muon_momentum * mean)
    direction = max(1, w.shape[-1] / w.shape[-2]) ** 0.5 * direction
    return (w - share * (config.muon_learning_rate * direction
                         + config.learning_rate * config.weight_decay * w), mean)


def orthogonalize(x):
    """Approximately the closest matrix to x with all singular values equal to 1. (..., in, out).

    Five Newton-Schulz steps s <- 3.4445 s - 4.775 s^3 + 2.0315 s^5. The polynomial acts only on the
    singular values s and brings them to about 0.7 to 1.2, which is accurate enough for Muon.
    """
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x                                    # the products are those of the smaller side
    x = x / (jnp.sqrt(jnp.sum(x * x, axis=(-2, -1), keepdims=True)) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
    return x.mT if tall else x


def update(params, grads, moments, step, config: TrainConfig):
    """One step of every parameter. Returns params, moments.

    With optimizer "muon", Muon updates the matrices inside the layers: several of one shape at once,
    each device its share. AdamW always updates the embedding, the head and the norms.
    """
    before = [flatten(tree) for tree in (params, grads, moments["mean"], moments["square"])]
    inside = {name: w for name, w in before[0].items()
              if config.optimizer == "muon" and name.startswith("layers.") and w.ndim == 2}
    after = {name: adamw(w, *(leaves[name] for leaves in before[1:]), step, config)
             for name, w in before[0].items() if name not in inside}
    for names in alike(inside):
        w, g, mean = (jnp.stack([leaves[name] for name in names]) for leaves in before[:3])
        w, mean = share_out(lambda *matrices: muon(*matrices, step, config), w, g, mean)
        after |= {name: (w[i], mean[i], before[3][name]) for i, name in enumerate(names)}
    params, mean, square = (
        unflatten({name: after[name][i].astype(w.dtype) for name, w in before[0].items()}, params)
        for i in range(3))
    return params, {"mean": mean, "square": square}
