"""Distillation in JAX: the losses, the step, writing.

The twin, minillm/in_numpy/distill.py, has the formulas. Axes: see ops.py; C counts the tokens kept
by `top_k`. The teacher is an argument of the compiled step that is not donated and has no
gradient: only the student's parameters are differentiated.
"""

from functools import partial
from math import log

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from minillm.config import IGNORE, DistillConfig, GenerateConfig, ModelConfig, TrainConfig
from minillm.in_jax.family import forward_of
from minillm.in_jax.generate import ROOM, are_finite, sample
from minillm.in_jax.model import forward, init_cache
from minillm.in_jax.ops import cross_entropy, log_softmax, softmax
from minillm.in_jax.sharding import replicate, split_rows
from minillm.in_jax.train import PRECISION, take_step

TINY = 1e-30  # so that nothing is divided by zero, and no logarithm taken of it


def counted_mean(values_BT, targets_BT):
    """The mean of the values whose target is counted, that is, not IGNORE."""
    counted_BT = targets_BT != IGNORE
    return jnp.sum(jnp.where(counted_BT, values_BT, 0)) / jnp.sum(counted_BT).astype(values_BT.dtype)


def forward_kl(logits_BTV, teacher_BTV, targets_BT, temperature: float):
    """Mean of T^2 KL(p || q) = T^2 sum over V of p (log p - log q), in nats: q covers p."""
    log_p_BTV = log_softmax(teacher_BTV / temperature)
    log_q_BTV = log_softmax(logits_BTV / temperature)
    nats_BT = jnp.sum(jnp.exp(log_p_BTV) * (log_p_BTV - log_q_BTV), axis=-1)
    return counted_mean(temperature**2 * nats_BT, targets_BT)


def reverse_kl(logits_BTV, teacher_BTV, targets_BT, temperature: float):
    """Mean of T^2 KL(q || p) = T^2 sum over V of q (log q - log p), in nats: q stays within p."""
    log_p_BTV = log_softmax(teacher_BTV / temperature)
    log_q_BTV = log_softmax(logits_BTV / temperature)
    nats_BT = jnp.sum(jnp.exp(log_q_BTV) * (log_q_BTV - log_p_BTV), axis=-1)
    return counted_mean(temperature**2 * nats_BT, targets_BT)


def jsd(logits_BTV, teacher_BTV, targets_BT, temperature: float, beta: float):
    """Mean of T^2 (beta KL(p || m) + (1 - beta) KL(q || m)), m = beta p + (1 - beta) q, in nats."""
    log_p_BTV = log_softmax(teacher_BTV / temperature)
    log_q_BTV = log_softmax(logits_BTV / temperature)
    log_m_BTV = jnp.logaddexp(log(beta) + log_p_BTV, log(1 - beta) + log_q_BTV)
    nats_BTV = beta * jnp.exp(log_p_BTV) * (log_p_BTV - log_m_BTV)
    nats_BTV = nats_BTV + (1 - beta) * jnp.exp(log_q_BTV) * (log_q_BTV - log_m_BTV)
    return counted_mean(temperature**2 * jnp.sum(nats_BTV, axis=-1), targets_BT)


def distill_loss(logits_BTV, teacher_BTV, targets_BT, distill: DistillConfig):
    """alpha T^2 KL + (1 - alpha) cross-entropy: a mix of the teacher's and the text's loss."""
    said = logits_BTV, teacher_BTV, targets_BT, distill.temperature
    if 0 < distill.beta < 1:
        kl = jsd(*said, distill.beta)
    else:
        kl = (reverse_kl if distill.beta else forward_kl)(*said)
    return distill.alpha * kl + (1 - distill.alpha) * cross_entropy(logits_BTV, targets_BT)


def top_k(logits_BTV, k: int):
    """The ids of the k most probable tokens, in falling order, and their log p: two (B, T, C)."""
    log_p_BTC, ids_BTC = jax.lax.top_k(log_softmax(logits_BTV), k)
    return ids_BTC, log_p_BTC


def expand_top_k(ids_BTC, log_p_BTC, logits_BTV):
    """A teacher's logits from its `top_k`: log p of the kept tokens.

    The other tokens share the remaining probability in the student's proportions. The result is a
    constant for the gradient, which is that of the KL with "any other token" as one event.
    """
    others_BTV = jnp.put_along_axis(softmax(stop_gradient(logits_BTV)), ids_BTC, 0, axis=-1,
                                    inplace=False)
    left_BT = jnp.maximum(1 - jnp.sum(jnp.exp(log_p_BTC), axis=-1), TINY)
    share_BT = left_BT / jnp.maximum(jnp.sum(others_BTV, axis=-1), TINY)
    log_p_BTV = jnp.log(jnp.maximum(others_BTV * share_BT[..., None], TINY))
    return jnp.put_along_axis(log_p_BTV, ids_BTC, log_p_BTC, axis=-1, inplace=False)


def distill_loss_and_grads(params, tokens_BT, targets_BT, teacher_targets, config: ModelConfig,
                           distill: DistillConfig):
    """The loss of `distill_loss` and its gradient, a tree like `params`; compare `loss_and_grads`.

    `teacher_targets` is the teacher's answer for these tokens: its logits_BTV, or the pair
    (ids_BTC, log_p_BTC) of its `top_k`.
    """

    def loss(params):
        logits_BTV, _ = forward(params, tokens_BT, config)
        teacher_BTV = teacher_targets
        if isinstance(teacher_targets, tuple):
            teacher_BTV = expand_top_k(*teacher_targets, logits_BTV)
        return distill_loss(logits_BTV, teacher_BTV, targets_BT, distill)

    return jax.value_and_grad(loss)(params)


@partial(jax.jit, static_argnames=("config", "train", "distill"), donate_argnames="state")
def distill_step(state, tokens_BT, targets_BT, teacher_targets, config: ModelConfig,
                 train: TrainConfig, distill: DistillConfig):
    """`train_step` with a teacher: loss, gradient, clip, update."""
    with jax.default_matmul_precision(PRECISION[train.matmul_precision]):
        loss, grads = distill_loss_and_grads(state["params"], tokens_BT, targets_BT,
                                             teacher_targets, config, distill)
    return take_step(state, loss, grads, train)


def distill_steps(state, tokens_NBT, targets_NBT, teacher, teacher_config, config: ModelConfig,
                  train: TrainConfig, distill: DistillConfig):
    """N steps with a teacher (its parameters) that reads every batch. One compiled loop."""
    return jax.block_until_ready(_distill_steps(state, tokens_NBT, targets_NBT, teacher, teacher_config, config, train, distill))


@partial(jax.jit, static_argnames=("teacher_config", "config", "train", "distill"), donate_argnames="state")
def _distill_steps(state, tokens_NBT, targets_NBT, teacher, teacher_config, config, train, distill):

    def step(state, batch):
        tokens_BT, targets_BT = batch
        with jax.default_matmul_precision(PRECISION[train.matmul_precision]):
            teacher_BTV, _ = forward_of(teacher_config)(teacher, tokens_BT, teacher_config)
        return distill_step(state, tokens_BT, targets_BT, teacher_BTV, config, train, distill)

    return jax.lax.scan(step, state, (split_rows(tokens_NBT, axis=1), split_rows(targets_NBT, axis=1)))


def cached_distill_steps(state, tokens_NBT, targets_NBT, ids_NBTC, log_p_NBTC, config: ModelConfig,
                         train: TrainConfig, distill: DistillConfig):
    """N steps with a teacher's stored answers, its `top_k` for each batch. One compiled loop."""
    return jax.block_until_ready(_cached_distill_steps(state, (tokens_NBT, targets_NBT, ids_NBTC, log_p_NBTC), config, train, distill))


@partial(jax.jit, static_argnames=("config", "train", "distill"), donate_argnames="state")
def _cached_distill_steps(state, batches, config, train, distill):

    def step(state, batch):
        tokens_BT, targets_BT, ids_BTC, log_p_BTC = batch
        return distill_step(state, tokens_BT, targets_BT, (ids_BTC, log_p_BTC), config, train, distill)

    return jax.lax.scan(step, state, tuple(split_rows(part, axis=1) for part in batches))


def read_top_k(params, tokens_BT, config, k: int):
    """A teacher's `top_k` for these rows: a forward pass that many students can learn from."""
    return jax.block_until_ready(_read_top_k(params, tokens_BT, config, k))


@partial(jax.jit, static_argnames=("config", "k"))
def _read_top_k(params, tokens_BT, config, k):
    return top_k(forward_of(config)(params, split_rows(tokens_BT, axis=0), config)[0], k)


def write_rows(params, first_B, coins_NB, config, sampling: GenerateConfig):
    """tokens_BN, and whether all logits were finite: continue every row from its first token, one
    coin per token, in one cache. No row ends: see batch.py for prompts and texts that do."""
    return jax.block_until_ready(_write_rows(params, first_B, coins_NB, config, sampling))


@partial(jax.jit, static_argnames=("config", "sampling"))
def _write_rows(params, first_B, coins_NB, config, sampling):

    def step(carry, coin_B):
        token_B, cache, finite = carry
        logits_BTV, cache = forward_of(config)(params, token_B[:, None], config, cache)
        finite = finite & are_finite(logits_BTV)
        token_B = jax.vmap(partial(sample, sampling=sampling))(logits_BTV[:, 0], coin_B)
        return (token_B.astype(jnp.int32), cache, finite), token_B

    token_B, tokens, finite = split_rows(first_B, axis=0).astype(jnp.int32), [], True
    cache = init_cache(config, len(first_B), 0, params["norm"].dtype)
    for begin in range(0, len(coins_NB), ROOM):   # the cache grows with the text
        carry, drawn = (token_B, _longer(cache), finite), coins_NB[begin : begin + ROOM]
        (token_B, cache, finite), new_NB = jax.lax.scan(step, carry, split_rows(drawn, axis=1))
        tokens.append(new_NB)
    return jnp.concatenate(tokens).T, finite


def _longer(cache):
    """The same cache with ROOM for more keys and values."""
    more = ((0, 0), (0, ROOM), (0, 0))
    return cache | {"layers": [{name: jnp.pad(cache_RSE, more) for name, cache_RSE in layer.items()} for layer in cache["layers"]]}


def to_device(params):
    """Move parameters to the device once, before many calls: a copy on every device."""
    return replicate(jax.tree.map(jnp.asarray, params))
