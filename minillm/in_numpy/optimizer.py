"""AdamW, Muon, clipping and the learning-rate schedule in NumPy. Twin: minillm/in_jax/optimizer.py.

Functions take and return trees like `params`; `step` counts from 0.
"""

import numpy as np

from minillm.architecture.tree import flatten, tree_map
from minillm.config import TrainConfig


def learning_rate(step, config: TrainConfig):
    """AdamW's learning rate at a step: config.learning_rate times `schedule`."""
    return config.learning_rate * schedule(step, config)


def schedule(step, config: TrainConfig):
    """The share of the peak learning rate at a step: linear warm-up, then a cosine.

    Warm-up gives (step + 1) / warmup_steps, so step 0 already learns. The last step, steps - 1,
    gets final_learning_rate. Loshchilov and Hutter 2016, arXiv:1608.03983, eq. 5.
    """
    step = np.asarray(step, float)
    warmup = (step + 1) / max(config.warmup_steps, 1)
    progress = (step - config.warmup_steps) / max(config.steps - 1 - config.warmup_steps, 1)
    cosine = 0.5 * (1 + np.cos(np.pi * np.clip(progress, 0, 1)))
    return np.where(step < config.warmup_steps, warmup,
                    config.final_learning_rate + (1 - config.final_learning_rate) * cosine)


def global_norm(grads):
    """The norm of all gradients together: sqrt of the sum of all squares."""
    return np.sqrt(sum(np.sum(g * g) for g in flatten(grads).values()))


def clip(grads, max_norm: float):
    """grads * min(1, max_norm / norm), and the norm before clipping.

    All gradients get the same factor, so the direction is kept. Pascanu et al. 2013,
    arXiv:1211.5063, algorithm 1.
    """
    norm = global_norm(grads)
    factor = np.minimum(1, max_norm / np.maximum(norm, 1e-12))
    return tree_map(lambda g: g * factor, grads), norm


def init_moments(params):
    """Zeros like `params`, for the running means of the gradient and of its square."""
    return {"mean": tree_map(np.zeros_like, params), "square": tree_map(np.zeros_like, params)}


def adamw(w, g, mean, square, step, config: TrainConfig):
    """One AdamW step of one parameter. Returns w, mean, square.

        mean   = beta1 mean + (1 - beta1) g           t = step + 1
        square = beta2 square + (1 - beta2) g^2
        d      = mean / (1 - beta1^t) / (sqrt(square / (1 - beta2^t)) + eps)
        w      = w - lr (d + weight_decay w)

    lr = learning_rate(step). Weight decay acts only on matrices, not on norms. Adam: Kingma and Ba
    2014, arXiv:1412.6980, algorithm 1; decoupled decay: Loshchilov and Hutter 2017,
    arXiv:1711.05101, algorithm 2.
    """
    t = float(step) + 1                     # numbers of Python: those of NumPy would widen float32
    mean = config.beta1 * mean + (1 - config.beta1) * g
    square = config.beta2 * square + (1 - config.beta2) * g * g
    direction = (
        mean / (1 - config.beta1**t) / (np.sqrt(square / (1 - config.beta2**t)) + config.eps))
    decay = config.weight_decay if w.ndim >= 2 else 0.0
    return w - float(learning_rate(step, config)) * (direction + decay * w), mean, square


def muon(w, g, mean, step, config: TrainConfig):
    """One Muon step of one matrix. Returns w, mean. The momentum is orthogonalized before the step.

        mean = momentum mean + (1 - momentum) g
        d    = sqrt(max(1, out / in)) orthogonalize((1 - momentum) g + momentum mean)
        w    = w - rate (d + weight_decay' w)

    with rate = muon_learning_rate * schedule
    and weight_decay' = weight_decay * learning_rate / muon_learning_rate, so that a matrix decays
    as fast as under AdamW.
    Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; at scale: arXiv:2502.16982.
    """
    share = float(schedule(step, config))
    mean = config.muon_momentum * mean + (1 - config.muon_momentum) * g
    direction = orthogonalize((1 - config.muon_momentum) * g + config.muon_momentum * mean)
    direction = max(1, w.shape[1] / w.shape[0]) ** 0.5 * direction
    return (w - share * (config.muon_learning_rate * direction
                         + config.learning_rate * config.weight_decay * w), mean)


def orthogonalize(x):
    """Approximately the closest matrix to x with all singular values equal to 1.

    Five Newton-Schulz steps s <- 3.4445 s - 4.775 s^3 + 2.0315 s^5. The polynomial acts only on the
    singular values s and brings them to about 0.7 to 1.2, which is accurate enough for Muon.
    """
    tall = x.shape[0] > x.shape[1]
    # the products are those of the smaller side
    x = x.T if tall else x
    x = x / (np.sqrt(np.sum(x * x)) + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
    return x.T if tall else x


def update(params, grads, moments, step, config: TrainConfig):
    """One step of every parameter. Returns params, moments.

    With optimizer "muon", Muon updates the matrices inside the layers. AdamW always updates the
    embedding, the head and the norms.
    """
    inside = tree_map(lambda w: False, params) | {"layers": tree_map(lambda w: w.ndim == 2, params["layers"])}

    def one(w, g, mean, square, inside):
        if inside and config.optimizer == "muon":
            moved = (*muon(w, g, mean, step, config), square)
        else:
            moved = adamw(w, g, mean, square, step, config)
        return tuple(x.astype(w.dtype, copy=False) for x in moved)

    moved = tree_map(one, params, grads, moments["mean"], moments["square"], inside)
    params, mean, square = (tree_map(lambda leaf: leaf[i], moved) for i in range(3))
    return params, {"mean": mean, "square": square}
