"""Generating text in JAX, token by token with a KV cache. Twin: minillm/in_numpy/generate.py.

Randomness is an argument: `sample` takes a `coin`, a number drawn uniformly from [0, 1), so both
twins generate the same text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from minillm.config import GenerateConfig, ModelConfig, check_finite, check_prompt
from minillm.in_jax.family import forward_of
from minillm.in_jax.model import init_cache
from minillm.in_jax.ops import softmax
from minillm.in_jax.pieces import read, stream
from minillm.in_jax.rows import by_rows

ROOM = 64  # prompts and caches are padded to a multiple of this, so that few shapes are compiled


@partial(jax.jit, static_argnames="sampling")
def sample(logits_V, coin, sampling: GenerateConfig, seen_V=None):
    """Sample a token by inverse CDF: `coin` is uniform in [0, 1).

    The most probable token is found in two passes, because XLA's argmax over a large vocabulary is
    slow. If the logits are not finite the token says nothing: see `are_finite`.
    """
    V = len(logits_V)
    if sampling.repetition_penalty != 1 and seen_V is not None:
        logits_V = penalize(logits_V, seen_V, sampling.repetition_penalty)
    if sampling.temperature == 0:
        return jnp.min(jnp.where(logits_V == jnp.max(logits_V), jnp.arange(V), V - 1))
    order_V, p_V = candidates(logits_V, sampling)
    upto_V = jnp.cumsum(p_V)
    return order_V[jnp.argmax(upto_V > coin * upto_V[-1])]


def candidates(logits_V, sampling: GenerateConfig):
    """The tokens that `sample` chooses from, and their p: 0 for those that a filter leaves out."""
    order_V, p_V = jnp.arange(len(logits_V)), softmax(logits_V / sampling.temperature)
    if sampling.top_k > 0 or sampling.top_p < 1:
        order_V = (jax.lax.top_k(p_V, min(sampling.top_k, len(p_V)))[1] if sampling.top_k
                   else jnp.argsort(-p_V, stable=True))
    p_V = p_V[order_V]
    kept_V = p_V >= sampling.min_p * jnp.max(p_V)
    if sampling.top_p < 1:
        kept_V = kept_V & (jnp.cumsum(p_V) - p_V < sampling.top_p)
    return order_V, jnp.where(kept_V, p_V, 0)


def distribution(logits_V, seen_V, sampling: GenerateConfig):
    """p_V of `sample`. Temperature 0: 1 for the most probable token. NaN: all 0."""
    ids_V, p_V = jnp.arange(len(logits_V)), jnp.zeros_like(logits_V)
    if sampling.repetition_penalty != 1:
        logits_V = penalize(logits_V, seen_V, sampling.repetition_penalty)
    if sampling.temperature == 0:
        first = jnp.min(jnp.where(logits_V == jnp.max(logits_V), ids_V, len(ids_V)))
        return (ids_V == first).astype(p_V.dtype)
    order, p = candidates(logits_V, sampling)
    p_V = jnp.put_along_axis(p_V, order, p, axis=0, inplace=False)
    return jnp.where(jnp.sum(p) > 0, p_V / jnp.sum(p), 0)


def pick(p_V, coin):
    """A token by inverse CDF: `coin` is uniform in [0, 1)."""
    upto_V = jnp.cumsum(p_V)
    return jnp.argmax(upto_V > coin * upto_V[-1])


@jax.jit
def are_finite(logits):
    """Are the largest logits (..., V) finite? They are NaN if any is; -inf may rule a token out."""
    return jnp.all(jnp.isfinite(jnp.max(logits, axis=-1)))


def penalize(logits_V, seen_V, penalty: float):
    """Lower the logits of seen tokens: x / penalty where x > 0, x * penalty elsewhere."""
    penalized_V = jnp.where(logits_V > 0, logits_V / penalty, logits_V * penalty)
    return jnp.where(seen_V, penalized_V, logits_V)


def decode_step(params, token, cache, seen_V, coin, config: ModelConfig,
                sampling: GenerateConfig):
    """The token after `token`, the cache with `token` added, and whether the logits are finite."""
    logits_BTV, cache = forward_of(config)(params, jnp.reshape(token, (1, 1)), config, cache)
    return sample(logits_BTV[0, 0], coin, sampling, seen_V), cache, are_finite(logits_BTV)


@partial(jax.jit, static_argnames=("config", "sampling"), donate_argnames="cache")
def decode_steps(params, token, cache, seen_V, coins_N, config: ModelConfig,
                 sampling: GenerateConfig):
    """The N tokens after `token`, one per coin; the cache with all but the last; the new seen_V;
    for each token whether its logits are finite."""

    def step(carry, coin):
        token, cache, seen_V = carry
        token, cache, is_finite = decode_step(params, token, cache, seen_V, coin, config, sampling)
        return (token.astype(jnp.int32), cache, mark(seen_V, token)), (token, is_finite)

    begin = jnp.int32(token), cache, seen_V
    (_, cache, seen_V), (tokens, finite) = jax.lax.scan(step, begin, coins_N)
    return tokens, cache, seen_V, finite


def mark(seen_V, token):
    """`seen_V` with `token` marked."""
    return seen_V | (jnp.arange(len(seen_V)) == token)


def prefill(params, prompt: Sequence[int], cache, seen_V, coin, config: ModelConfig,
            sampling: GenerateConfig):
    """Read the prompt in one pass. Returns what `decode_step` does for the first new token.

    The prompt is padded at its end. No query of the prompt sees the padding, and later tokens
    overwrite it.
    """
    padded = np.zeros(-(-len(prompt) // ROOM) * ROOM, np.int32)
    padded[: len(prompt)] = prompt
    x_BTD, cache = stream(params, padded[None], config, cache)
    logits_V = read(params, x_BTD[0, len(prompt) - 1])
    cache = cache | {"length": jnp.int32(len(prompt))}
    return sample(logits_V, coin, sampling, seen_V), cache, are_finite(logits_V)


def generate(params, prompt: Sequence[int], config: ModelConfig,
             sampling: GenerateConfig = GenerateConfig(),
             stop: Sequence[int] = ()) -> Iterator[int]:
    """Yield new token ids, at most `sampling.max_new_tokens`.

    Stops before a token in `stop`, or at the end of the context. The coins come from NumPy's
    generator with `sampling.seed`. Raises UserError if the prompt is empty, too long for the
    context, or contains ids outside the vocabulary, or if the logits contain NaN.
    """
    check_prompt(prompt, config)
    count = min(sampling.max_new_tokens, config.max_position_embeddings - len(prompt))
    if count == 0:
        return
    at_once = _tokens_per_dispatch(params, count - 1)
    params = by_rows(params)                              # to the device once, not at every dispatch
    coins = np.zeros(1 + -(-(count - 1) // at_once) * at_once, np.float32)
    coins[:count] = np.random.default_rng(sampling.seed).random(count, np.float32)
    cache = init_cache(config, 1, -(-(len(prompt) + len(coins)) // ROOM) * ROOM, params["norm"].dtype)
    seen_V = jnp.asarray(np.isin(np.arange(config.vocab_size), prompt))
    sampling = replace(sampling, max_new_tokens=0, seed=0)        # others are the same program
    token, cache, finite = prefill(params, prompt, cache, seen_V, coins[0], config, sampling)
    check_finite(finite)
    if int(token) in stop:
        return
    yield int(token)                                      # before the loop over the others is compiled
    last, begun, done, seen_V = token, 1, 1, mark(seen_V, token)
    tokens_N, finite = np.array([], int), np.array([], bool)
    while begun < count:
        ready, ready_finite = tokens_N, finite
        if done < count:                                          # computed while the reader reads what is ready
            coins_N = coins[done : done + at_once]
            tokens_N, cache, seen_V, finite = decode_steps(params, last, cache, seen_V, coins_N,
                                                           config, sampling)
            last = tokens_N[-1]
        for token, is_finite in zip(ready[: count - begun].tolist(), ready_finite.tolist()):
            check_finite(is_finite)
            if token in stop:
                return
            yield token
        begun, done = done, done + at_once


def _tokens_per_dispatch(params, count: int) -> int:
    """Tokens that one compiled loop generates before Python sees them.

    At most 256 for a tiny model, and 1 for a model of a billion parameters. A dispatch costs about
    0.1 ms, so it should do several ms of work, but a reader should see new words several times a
    second. All dispatches have the same length, chosen so that the last one computes few tokens
    beyond `count`.
    """
    most = min(256, max(1, 10**9 // sum(leaf.size for leaf in jax.tree.leaves(params))))
    return max(1, -(-count // max(1, -(-count // most))))
