"""Tuning in NumPy: adapters, and the step that trains nothing else. Twin: minillm/in_jax/tune.py.

What full tuning needs is in train.py: a target that does not count is IGNORE.
"""

import numpy as np

from minillm.architecture.adapters import adapt
from minillm.config import ModelConfig, TrainConfig, TuneConfig
from minillm.in_numpy.model import loss_and_grads
from minillm.in_numpy.preference import compare_loss_and_grads
from minillm.in_numpy.train import take_step


def adapter_loss_and_grads(adapters, base, tokens_BT, targets_BT, config: ModelConfig,
                           scale: float):
    """The loss of the adapted model, and its gradient for the adapters alone."""
    value, grads = loss_and_grads(adapt(base, adapters, scale), tokens_BT, targets_BT, config)
    return value, _of_adapters(grads, adapters)


def _of_adapters(grads, adapters):
    """The gradients of what is trained, a tree like `adapters`."""
    layers = zip(grads["layers"], adapters["layers"])
    return {"layers": [{name: layer[name] for name in changes} for layer, changes in layers]}


def adapter_step(state, base, tokens_BT, targets_BT, config: ModelConfig, train: TrainConfig,
                 scale: float):
    """`train_step` where the parameters of the state are adapters of `base`."""
    loss, grads = adapter_loss_and_grads(state["params"], base, tokens_BT, targets_BT, config,
                                         scale)
    return take_step(state, loss, grads, train)


def adapter_steps(state, base, tokens_NBT, targets_NBT, config: ModelConfig, train: TrainConfig,
                  scale: float):
    """N steps, one per batch. Returns the state and metrics, arrays (N,)."""
    history = []
    for tokens_BT, targets_BT in zip(tokens_NBT, targets_NBT):
        state, metrics = adapter_step(state, base, tokens_BT, targets_BT, config, train, scale)
        history.append(metrics)
    return state, {name: np.array([metrics[name] for metrics in history]) for name in history[0]}


def compare_adapters_loss_and_grads(adapters, base, batch, config: ModelConfig, tune: TuneConfig):
    """The loss of `compare` for the adapted model, and its gradient for the adapters alone."""
    params = adapt(base, adapters, tune.scale)
    value, grads = compare_loss_and_grads(params, batch, config, tune)
    return value, _of_adapters(grads, adapters)


def compare_adapters_step(state, base, batch, config: ModelConfig, train: TrainConfig,
                          tune: TuneConfig):
    """`compare_step` where the parameters of the state are adapters of `base`."""
    loss, grads = compare_adapters_loss_and_grads(state["params"], base, batch, config, tune)
    return take_step(state, loss, grads, train)
