"""One training step, many training steps, and evaluation in NumPy. Twin: minillm/in_jax/train.py.

The state of a run is one tree: {"params", "moments", "step"}. A step is a pure function of the
state and the batch.
"""

import numpy as np

from minillm.config import IGNORE, ModelConfig, TrainConfig
from minillm.in_numpy.memory import keep_memory
from minillm.in_numpy.model import loss_and_grads
from minillm.in_numpy.ops import cross_entropy, log_softmax
from minillm.in_numpy.optimizer import clip, init_moments, learning_rate, update
from minillm.in_numpy.pieces import read, stream

LOGITS_AT_ONCE = 2**26  # numbers: long rows of a large vocabulary go through the head in slices


def init_state(params, moments=None, step: int = 0):
    """The state before the first step; with `moments` and `step`, in the middle of a run."""
    keep_memory()
    return {"params": params, "moments": moments or init_moments(params), "step": step}


def train_step(state, tokens_BT, targets_BT, config: ModelConfig, train: TrainConfig):
    """Loss, gradient, clip, update. Returns state, {"loss", "grad_norm", "learning_rate"}."""
    loss, grads = loss_and_grads(state["params"], tokens_BT, targets_BT, config)
    return take_step(state, loss, grads, train)


def take_step(state, loss, grads, train: TrainConfig):
    """Clip the gradient and update. Returns state, {"loss", "grad_norm", "learning_rate"}."""
    grads, grad_norm = clip(grads, train.max_grad_norm)
    params, moments = update(state["params"], grads, state["moments"], state["step"], train)
    metrics = {"loss": loss, "grad_norm": grad_norm,
               "learning_rate": learning_rate(state["step"], train)}
    return {"params": params, "moments": moments, "step": state["step"] + 1}, metrics


def train_steps(state, tokens_NBT, targets_NBT, config: ModelConfig, train: TrainConfig):
    """N steps, one per batch. Returns the state and metrics, arrays (N,)."""
    history = []
    for tokens_BT, targets_BT in zip(tokens_NBT, targets_NBT):
        state, metrics = train_step(state, tokens_BT, targets_BT, config, train)
        history.append(metrics)
    return state, {name: np.array([metrics[name] for metrics in history]) for name in history[0]}


def row_losses(params, tokens_BT, targets_BT, config: ModelConfig):
    """The total loss of each row in nats, and its number of counted targets. -> (B,), (B,)."""
    x_BTD, _ = stream(params, tokens_BT, config)
    nats_B, counts_B = 0, np.sum(targets_BT != IGNORE, axis=1)
    size = max(1, LOGITS_AT_ONCE // (len(counts_B) * config.vocab_size))
    for t in range(0, x_BTD.shape[1], size):
        some = slice(t, t + size)
        nats_B += _row_nats(params, x_BTD[:, some], targets_BT[:, some])
    return nats_B, counts_B


def _row_nats(params, x_BTD, targets_BT):
    logits_BTV, counts_B = read(params, x_BTD), np.sum(targets_BT != IGNORE, axis=1)
    means_B = np.array([cross_entropy(logits_TV[None], targets_T[None]) if count else 0.0
                        for logits_TV, targets_T, count in zip(logits_BTV, targets_BT, counts_B)])
    return means_B * counts_B


def prediction_change(before_BTV, after_BTV, targets_BT):
    """How quantization changed the predictions of each text: sums over its counted targets, (B, 5).

    The number of targets; nats before; nats after; KL(before || after); how often both models find
    the same token most probable.
    """
    log_p, log_q = log_softmax(before_BTV), log_softmax(after_BTV)
    counted_BT = targets_BT != IGNORE
    at_BT1 = np.where(counted_BT, targets_BT, 0)[..., None]
    measured = (np.ones_like(log_p[..., 0]), -np.take_along_axis(log_p, at_BT1, axis=-1)[..., 0],
                -np.take_along_axis(log_q, at_BT1, axis=-1)[..., 0], np.sum(np.exp(log_p) * (log_p - log_q), axis=-1),
                np.argmax(log_p, axis=-1) == np.argmax(log_q, axis=-1))
    return np.stack([np.sum(np.where(counted_BT, value, 0), axis=1) for value in measured], axis=1)
