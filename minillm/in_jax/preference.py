"""Losses that compare answers, in JAX: DPO and GRPO. Twin: minillm/in_numpy/preference.py.

The twin has the formulas. Everything but log p of the model that is trained is a constant.
"""

from functools import partial

import jax
import jax.numpy as jnp

from minillm.config import IGNORE, ModelConfig, TrainConfig, TuneConfig
from minillm.in_jax.model import forward
from minillm.in_jax.ops import log_softmax
from minillm.in_jax.train import PRECISION, take_step


def token_log_p(logits_BTV, targets_BT):
    """log p of every target, 0 where it is IGNORE. -> (B, T)."""
    counted_BT = targets_BT != IGNORE
    at_BT1 = jnp.where(counted_BT, targets_BT, 0)[..., None]
    log_p_BT = jnp.take_along_axis(log_softmax(logits_BTV), at_BT1, axis=-1)[..., 0]
    return jnp.where(counted_BT, log_p_BT, 0)


def dpo(log_p_BT, reference_BT, beta: float):
    """Mean of -log sigmoid(beta (gain of the better answer - gain of the worse one))."""
    gain_B = jnp.sum(log_p_BT - reference_BT, axis=1)
    margin_P = beta * (gain_B[0::2] - gain_B[1::2])
    return jnp.mean(jnp.logaddexp(0, -margin_P))


def grpo(log_p_BT, old_BT, reference_BT, advantage_B, targets_BT, tune: TuneConfig):
    """-mean over counted tokens of min(ratio A, clip(ratio) A) - beta KL."""
    counted_BT, advantage_B1 = targets_BT != IGNORE, advantage_B[:, None]
    ratio_BT, g_BT = jnp.exp(log_p_BT - old_BT), reference_BT - log_p_BT
    clipped_BT = jnp.clip(ratio_BT, 1 - tune.clip, 1 + tune.clip)
    gain_BT = jnp.minimum(ratio_BT * advantage_B1, clipped_BT * advantage_B1)
    kl_BT = jnp.exp(g_BT) - g_BT - 1
    count = jnp.sum(counted_BT).astype(log_p_BT.dtype)
    return -jnp.sum(jnp.where(counted_BT, gain_BT - tune.beta * kl_BT, 0)) / count


def compare(log_p_BT, batch, tune: TuneConfig):
    """The loss of `tune.method`, its other arguments by name in `batch`."""
    if tune.method == "dpo":
        return dpo(log_p_BT, batch["reference_BT"], tune.beta)
    return grpo(log_p_BT, batch["old_BT"], batch["reference_BT"], batch["advantage_B"],
                batch["targets_BT"], tune)


def compare_loss_and_grads(params, batch, config: ModelConfig, tune: TuneConfig):
    """The loss of `compare` and its gradient, a tree like `params`."""

    def loss(params):
        log_p_BT = token_log_p(forward(params, batch["tokens_BT"], config)[0], batch["targets_BT"])
        return compare(log_p_BT, batch, tune)

    return jax.value_and_grad(loss)(params)


def compare_step(state, batch, config: ModelConfig, train: TrainConfig, tune: TuneConfig):
    """`train_step` that compares answers: loss, gradient, clip, update."""
    return jax.block_until_ready(_compare_step(state, batch, config, train, tune))


@partial(jax.jit, static_argnames=("config", "train", "tune"), donate_argnames="state")
def _compare_step(state, batch, config, train, tune):
    with jax.default_matmul_precision(PRECISION[train.matmul_precision]):
        loss, grads = compare_loss_and_grads(state["params"], batch, config, tune)
    return take_step(state, loss, grads, train)


def read_log_p(params, tokens_BT, targets_BT, config: ModelConfig):
    """`token_log_p` of a model for these rows."""
    return jax.block_until_ready(_read_log_p(params, tokens_BT, targets_BT, config))


@partial(jax.jit, static_argnames="config")
def _read_log_p(params, tokens_BT, targets_BT, config):
    return token_log_p(forward(params, tokens_BT, config)[0], targets_BT)
