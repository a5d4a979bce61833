"""One training step, many training steps, and evaluation in JAX. Twin: minillm/in_numpy/train.py.

The state of a run is one tree: {"params", "moments", "step"}. A step is a pure function of the
state and the batch, so JAX can compile it. The old state is donated: the new one reuses its memory.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from minillm.config import IGNORE, ModelConfig, TrainConfig
from minillm.in_jax.model import loss_and_grads
from minillm.in_jax.ops import cross_entropy, log_softmax
from minillm.in_jax.optimizer import clip, init_moments, learning_rate, update
from minillm.in_jax.pieces import read, stream
from minillm.in_jax.recompute import recomputing_loss
from minillm.in_jax.sharding import everywhere, replicate, split_rows, stay_sharded

LOGITS_AT_ONCE = 2**26  # numbers: long rows of a large vocabulary go through the head in slices


def init_state(params, moments=None, step: int = 0):
    """The state before the first step; with `moments` and `step`, in the middle of a run.

    Copies its arguments, because a training step donates (overwrites) its state. Arrays that
    `sharding.shard` has shared out between the devices stay so.
    """
    state = {"params": params, "moments": moments or init_moments(params), "step": np.int32(step)}
    return replicate(jax.tree.map(jnp.array, state))


@partial(jax.jit, static_argnames=("config", "train"), donate_argnames="state")
def train_step(state, tokens_BT, targets_BT, config: ModelConfig, train: TrainConfig):
    """Loss, gradient, clip, update. Returns state, {"loss", "grad_norm", "learning_rate"}."""
    with jax.default_matmul_precision(PRECISION[train.matmul_precision]):
        backward = jax.value_and_grad(recomputing_loss) if train.recompute else loss_and_grads
        loss, grads = backward(state["params"], tokens_BT, targets_BT, config)
    return take_step(state, loss, grads, train)


def take_step(state, loss, grads, train: TrainConfig):
    """Clip the gradient and update. Returns state, {"loss", "grad_norm", "learning_rate"}."""
    grads, grad_norm = clip(grads, train.max_grad_norm)
    params, moments = update(state["params"], grads, state["moments"], state["step"], train)
    metrics = {"loss": loss, "grad_norm": grad_norm,
               "learning_rate": learning_rate(state["step"], train)}
    state = {"params": params, "moments": moments, "step": state["step"] + 1}
    return (stay_sharded(state) if train.shard else state), metrics


def train_steps(state, tokens_NBT, targets_NBT, config: ModelConfig, train: TrainConfig):
    """N steps, one per batch, compiled as one loop. Returns the state and metrics, arrays (N,)."""
    return jax.block_until_ready(_train_steps(state, tokens_NBT, targets_NBT, config, train))


@partial(jax.jit, static_argnames=("config", "train"), donate_argnames="state")
def _train_steps(state, tokens_NBT, targets_NBT, config: ModelConfig, train: TrainConfig):
    batches = split_rows(tokens_NBT, axis=1), split_rows(targets_NBT, axis=1)
    state, metrics = jax.lax.scan(lambda state, batch: train_step(state, *batch, config, train),
                                  state, batches)
    return state, jax.tree.map(everywhere, metrics)


def row_losses(params, tokens_BT, targets_BT, config: ModelConfig):
    """The total loss of each row in nats, and its number of counted targets. -> (B,), (B,)."""
    x_BTD, _ = stream(params, tokens_BT, config)
    nats_B, counts_B = 0, jnp.sum(jnp.asarray(targets_BT) != IGNORE, axis=1)
    outer = params | {"layers": []}
    size = max(1, LOGITS_AT_ONCE // (len(counts_B) * config.vocab_size))
    for t in range(0, x_BTD.shape[1], size):
        some = slice(t, t + size)
        nats_B += jax.block_until_ready(_row_nats(outer, x_BTD[:, some], targets_BT[:, some]))
    return nats_B, counts_B


@jax.jit
def _row_nats(params, x_BTD, targets_BT):
    logits_BTV, counts_B = read(params, x_BTD), jnp.sum(targets_BT != IGNORE, axis=1)
    means_B = jax.vmap(lambda logits, targets: cross_entropy(logits[None], targets[None]))(logits_BTV, targets_BT)
    return everywhere(jnp.where(counts_B > 0, means_B * counts_B, 0))


def prediction_change(before_BTV, after_BTV, targets_BT):
    """How quantization changed the predictions of each text: sums over its counted targets, (B, 5).

    The number of targets; nats before; nats after; KL(before || after); how often both models find
    the same token most probable.
    """
    log_p, log_q = log_softmax(before_BTV), log_softmax(after_BTV)
    counted_BT = targets_BT != IGNORE
    at_BT1 = jnp.where(counted_BT, targets_BT, 0)[..., None]
    measured = (jnp.ones_like(log_p[..., 0]), -jnp.take_along_axis(log_p, at_BT1, axis=-1)[..., 0],
                -jnp.take_along_axis(log_q, at_BT1, axis=-1)[..., 0], jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1),
                jnp.argmax(log_p, axis=-1) == jnp.argmax(log_q, axis=-1))
    return jnp.stack([jnp.sum(jnp.where(counted_BT, value, 0), axis=1) for value in measured], axis=1)


# On accelerators float32 products may be made of bfloat16 ones, accumulated in float32: twice the speed and more.
PRECISION = {"float32": "float32", "bfloat16": "BF16_BF16_F32"}
