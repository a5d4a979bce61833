"""Tuning in JAX: adapters, and the step that trains nothing else. Twin: minillm/in_numpy/tune.py.

The base is an argument of the compiled step that is not donated and has no gradient: no memory is
spent on gradients and moments of what stays.
"""

from functools import partial

import jax

from minillm.architecture.adapted import Adapted
from minillm.architecture.adapters import adapt
from minillm.config import ModelConfig, TrainConfig, TuneConfig
from minillm.in_jax.model import forward, loss
from minillm.in_jax.preference import compare, token_log_p
from minillm.in_jax.recompute import recomputing_loss
from minillm.in_jax.sharding import split_rows
from minillm.in_jax.train import PRECISION, take_step

jax.tree_util.register_dataclass(Adapted, data_fields=["w", "a", "b"], meta_fields=["scale"])


def adapter_loss_and_grads(adapters, base, tokens_BT, targets_BT, config: ModelConfig,
                           scale: float):
    """The loss of the adapted model, and its gradient for the adapters alone."""
    return _backward(loss, adapters, base, tokens_BT, targets_BT, config, scale)


def _backward(loss, adapters, base, tokens_BT, targets_BT, config, scale):
    return jax.value_and_grad(lambda adapters: loss(
        adapt(base, adapters, scale), tokens_BT, targets_BT, config))(adapters)


@partial(jax.jit, static_argnames=("config", "train", "scale"), donate_argnames="state")
def adapter_step(state, base, tokens_BT, targets_BT, config: ModelConfig, train: TrainConfig,
                 scale: float):
    """`train_step` where the parameters of the state are adapters of `base`."""
    with jax.default_matmul_precision(PRECISION[train.matmul_precision]):
        value, grads = _backward(recomputing_loss if train.recompute else loss, state["params"],
                                 base, tokens_BT, targets_BT, config, scale)
    return take_step(state, value, grads, train)


def adapter_steps(state, base, tokens_NBT, targets_NBT, config: ModelConfig, train: TrainConfig,
                  scale: float):
    """N steps, one per batch, compiled as one loop. Returns the state and metrics, arrays (N,)."""
    return jax.block_until_ready(
        _adapter_steps(state, base, tokens_NBT, targets_NBT, config, train, scale))


@partial(jax.jit, static_argnames=("config", "train", "scale"), donate_argnames="state")
def _adapter_steps(state, base, tokens_NBT, targets_NBT, config, train, scale):
    batches = split_rows(tokens_NBT, axis=1), split_rows(targets_NBT, axis=1)
    return jax.lax.scan(
        lambda state, batch: adapter_step(state, base, *batch, config, train, scale), state, batches)


def compare_adapters_loss_and_grads(adapters, base, batch, config: ModelConfig, tune: TuneConfig):
    """The loss of `compare` for the adapted model, and its gradient for the adapters alone."""

    def loss(adapters):
        params = adapt(base, adapters, tune.scale)
        log_p_BT = token_log_p(forward(params, batch["tokens_BT"], config)[0], batch["targets_BT"])
        return compare(log_p_BT, batch, tune)

    return jax.value_and_grad(loss)(adapters)


def compare_adapters_step(state, base, batch, config: ModelConfig, train: TrainConfig,
                          tune: TuneConfig):
    """`compare_step` where the parameters of the state are adapters of `base`."""
    return jax.block_until_ready(_compare_adapters_step(state, base, batch, config, train, tune))


@partial(jax.jit, static_argnames=("config", "train", "tune"), donate_argnames="state")
def _compare_adapters_step(state, base, batch, config, train, tune):
    with jax.default_matmul_precision(PRECISION[train.matmul_precision]):
        loss, grads = compare_adapters_loss_and_grads(state["params"], base, batch, config, tune)
    return take_step(state, loss, grads, train)
