"""Lesson 07: five ways to follow a gradient, with what can be left out of each, on minillm's own model. In JAX.

A rule says how; the learning rate is an argument, so that the search for it compiles nothing anew. `adam` with everything in its
place is minillm's AdamW, `muon` is minillm's Muon: tests/course/test_lesson_rules.py holds them to it.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp

from minillm.architecture.tree import tree_map
from minillm.config import ModelConfig
from minillm.in_jax.model import loss, loss_and_grads
from minillm.in_jax.ops import IGNORE
from minillm.in_jax.optimizer import clip, orthogonalize

BETA1, MOMENTUM, EPS, DECAY, MAX_NORM = 0.9, 0.95, 1e-8, 0.1, 1.0
SMALLER = 0.3                     # beside Muon, embedding and norms move by AdamW at this share of Muon's rate


@dataclass(frozen=True)
class Rule:
    """`move`: sgd, momentum, adam or muon. `decay`: none, outside (AdamW) or inside (added to the gradient)."""

    move: str
    decay: str = "none"
    warmup: int = 20
    beta2: float = 0.99
    correct: bool = True
    clip: bool = True


PARTS = {                         # what the demonstration leaves out or changes, and in which optimizer
    "no bias correction": ("AdamW", dict(correct=False)), "no warm-up": ("AdamW", dict(warmup=0)), "beta2 0.999": ("AdamW", dict(beta2=0.999)),
    "decay inside": ("AdamW", dict(decay="inside")), "no clipping": ("AdamW", dict(clip=False)),
    "beta2 0.999, no bias correction": ("AdamW", dict(beta2=0.999, correct=False)),
    "beta2 0.999, neither of the two": ("AdamW", dict(beta2=0.999, correct=False, warmup=0)),
    "beta2 0.999, no warm-up": ("AdamW", dict(beta2=0.999, warmup=0)),
}


def share(step, warmup: int, steps: int):
    """minillm's schedule: linear warm-up, then a cosine down to 0 at the last step."""
    progress = jnp.clip((step - warmup) / (steps - 1 - warmup), 0, 1)
    return jnp.where(step < warmup, (step + 1) / max(warmup, 1), 0.5 * (1 + jnp.cos(jnp.pi * progress)))


def moved(w, g, mean, square, rate, step, inside, rule: Rule):
    """One parameter's update: w, mean, square. `inside`: a matrix of a layer, which Muon moves."""
    decay = DECAY if w.ndim >= 2 else 0.0                            # norms are never decayed
    if rule.decay == "inside":
        g = g + decay * w
    if rule.move == "sgd":
        direction = g
    elif rule.move == "momentum":
        mean = BETA1 * mean + g
        direction = mean
    elif rule.move == "muon" and inside:
        mean = MOMENTUM * mean + (1 - MOMENTUM) * g
        direction = max(1, w.shape[1] / w.shape[0]) ** 0.5 * orthogonalize((1 - MOMENTUM) * g + MOMENTUM * mean)
        decay = SMALLER * decay                                      # pulls as at AdamW's rate
    else:
        mean, square = BETA1 * mean + (1 - BETA1) * g, rule.beta2 * square + (1 - rule.beta2) * g * g
        t = step + 1.0
        first, second = (1 - BETA1**t, 1 - rule.beta2**t) if rule.correct else (1.0, 1.0)
        direction = mean / first / (jnp.sqrt(square / second) + EPS)
        rate = SMALLER * rate if rule.move == "muon" else rate
    if rule.decay == "outside":
        direction = direction + decay * w
    return w - rate * direction, mean, square


def update(params, grads, moments, rate, step, rule: Rule):
    """One update of every parameter; params and moments."""
    inside = tree_map(lambda w: False, params) | {"layers": tree_map(lambda w: w.ndim == 2, params["layers"])}
    new = tree_map(lambda w, g, mean, square, inside: moved(w, g, mean, square, rate, step, inside, rule),
                   params, grads, moments["mean"], moments["square"], inside)
    params, mean, square = (tree_map(lambda leaf: leaf[i], new) for i in range(3))
    return params, {"mean": mean, "square": square}


@partial(jax.jit, static_argnames=("rule", "config"))
def train(params, tokens_NBT, targets_NBT, rate, rule: Rule, config: ModelConfig):
    """N steps at a peak rate; the parameters after them, the N losses and the N norms of the gradient."""
    steps = len(tokens_NBT)

    def step(state, batch):
        params, moments, i = state
        value, grads = loss_and_grads(params, *batch, config)
        clipped, norm = clip(grads, MAX_NORM)
        params, moments = update(params, clipped if rule.clip else grads, moments, rate * share(i, rule.warmup, steps), i, rule)
        return (params, moments, i + 1), (value, norm)

    zeros = tree_map(jnp.zeros_like, params)
    (params, _, _), history = jax.lax.scan(step, (params, {"mean": zeros, "square": zeros}, 0), (tokens_NBT, targets_NBT))
    return params, *history


@partial(jax.jit, static_argnames="config")
def held_out_loss(params, tokens_NBT, targets_NBT, config: ModelConfig):
    """Nats per token over N held-out batches; padding is not counted."""
    def nats(batch):
        return loss(params, *batch, config) * jnp.sum(batch[1] != IGNORE)

    return jnp.sum(jax.lax.map(nats, (tokens_NBT, targets_NBT))) / jnp.sum(targets_NBT != IGNORE)
