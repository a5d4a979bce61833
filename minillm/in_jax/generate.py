"""Writing text in JAX: one token after another, from a cache. Twin: minillm/in_numpy/generate.py.

Randomness is an argument: `sample` is handed a coin in [0, 1), so both twins write the same text.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from minillm.config import GenerateConfig, ModelConfig, check_prompt, check_token
from minillm.in_jax.bloom import forward_of
from minillm.in_jax.model import init_cache
from minillm.in_jax.ops import softmax

ROOM = 64  # prompts and caches are padded to a multiple of this, so that few shapes are compiled


@partial(jax.jit, static_argnames="how")
def sample(logits_V, coin, how: GenerateConfig, seen_V=None):
    """The token that a coin in [0, 1) falls on, tokens laid end to end; V, which is no token, if
    logits are not numbers.

    The most probable token is found in two passes: XLA's argmax over a large vocabulary is slow.
    """
    V = len(logits_V)
    if how.repetition_penalty != 1 and seen_V is not None:
        logits_V = penalize(logits_V, seen_V, how.repetition_penalty)
    if how.temperature == 0:
        return jnp.min(jnp.where(logits_V == jnp.max(logits_V), jnp.arange(V), V))
    p_V = softmax(logits_V / how.temperature)
    order_V = jnp.arange(V)
    if how.top_k > 0 or how.top_p < 1:
        order_V = (
            jax.lax.top_k(p_V, min(how.top_k, V))[1]
            if how.top_k
            else jnp.argsort(-p_V, stable=True)
        )
    p_V = p_V[order_V]
    kept_V = p_V >= how.min_p * jnp.max(p_V)
    if how.top_p < 1:
        kept_V = kept_V & (jnp.cumsum(p_V) - p_V < how.top_p)
    upto_V = jnp.cumsum(jnp.where(kept_V, p_V, 0))
    return jnp.where(upto_V[-1] > 0, order_V[jnp.argmax(upto_V > coin * upto_V[-1])], V)


def penalize(logits_V, seen_V, penalty: float):
    """Logits of seen tokens pushed down: x / penalty above 0, x * penalty below."""
    return jnp.where(seen_V, jnp.where(logits_V > 0, logits_V / penalty, logits_V * penalty), logits_V)


def decode_step(params, token, cache, seen_V, coin, config: ModelConfig, how: GenerateConfig):
    """The token after `token`, and the cache that has seen `token`."""
    logits_BTV, cache = forward_of(config)(params, jnp.reshape(token, (1, 1)), config, cache)
    return sample(logits_BTV[0, 0], coin, how, seen_V), cache


@partial(jax.jit, static_argnames=("config", "how"), donate_argnames="cache")
def decode_steps(params, token, cache, seen_V, coins_N, config: ModelConfig, how: GenerateConfig):
    """The N tokens after `token`, one per coin, the cache that has seen all but the last, and what
    is in the text now."""

    def step(carry, coin):
        token, cache, seen_V = carry
        token, cache = decode_step(params, token, cache, seen_V, coin, config, how)
        return (token.astype(jnp.int32), cache, mark(seen_V, token)), token

    (_, cache, seen_V), tokens = jax.lax.scan(step, (jnp.int32(token), cache, seen_V), coins_N)
    return tokens, cache, seen_V


def mark(seen_V, token):
    """`seen_V` with one more token. A token of V, which is none, changes nothing."""
    return seen_V | (jnp.arange(len(seen_V)) == token)


@partial(jax.jit, static_argnames="config", donate_argnames="cache")
def _read(params, tokens_BT, config: ModelConfig, cache):
    return forward_of(config)(params, tokens_BT, config, cache)


def prefill(params, prompt: Sequence[int], cache, seen_V, coin, config: ModelConfig, how: GenerateConfig):
    """Read the prompt in one pass. Returns the first new token and the cache that has seen the prompt.

    The prompt is padded. Padding stands after it, where no query of the prompt looks, and is written over later.
    """
    padded = np.zeros(-(-len(prompt) // ROOM) * ROOM, np.int32)
    padded[: len(prompt)] = prompt
    logits_BTV, cache = _read(params, padded[None], config, cache)
    return sample(logits_BTV[0, len(prompt) - 1], coin, how, seen_V), cache | {"length": jnp.int32(len(prompt))}


def generate(params, prompt: Sequence[int], config: ModelConfig, how: GenerateConfig = GenerateConfig(),
             stop: Sequence[int] = ()) -> Iterator[int]:
    """Yield new token ids until `how.max_new_tokens`, a token in `stop` (not yielded), or the end of the context.

    Coins come from NumPy's generator for `how.seed`. Raises UserError for a prompt that is empty, too long for the
    context, or holds ids outside the vocabulary; for logits that are no numbers.
    """
    check_prompt(prompt, config)
    count = min(how.max_new_tokens, config.max_position_embeddings - len(prompt))
    if count == 0:
        return
    at_once = _tokens_per_dispatch(params, count - 1)
    params = jax.tree.map(jnp.asarray, params)                    # to the device once, not at every dispatch
    coins = np.zeros(1 + -(-(count - 1) // at_once) * at_once, np.float32)
    coins[:count] = np.random.default_rng(how.seed).random(count, np.float32)
    cache = init_cache(config, 1, -(-(len(prompt) + len(coins)) // ROOM) * ROOM, params["norm"].dtype)
    seen_V = jnp.asarray(np.isin(np.arange(config.vocab_size), prompt))
    token, cache = prefill(params, prompt, cache, seen_V, coins[0], config, how)
    tokens_N, begun, done, seen_V = token[None], 0, 1, mark(seen_V, token)
    while begun < count:
        ready = tokens_N
        if done < count:                                          # computed while the reader reads what is ready
            coins_N = coins[done : done + at_once]
            tokens_N, cache, seen_V = decode_steps(params, tokens_N[-1], cache, seen_V, coins_N, config, how)
        for token in ready.tolist()[: count - begun]:
            check_token(token, config)
            if token in stop:
                return
            yield token
        begun, done = done, done + at_once


def _tokens_per_dispatch(params, count: int) -> int:
    """How many tokens one compiled loop writes before Python sees them: at most 256 of a tiny model, one of a billion numbers.

    A dispatch costs about 0.1 ms, so it should bring several ms of work; a reader wants to see words several times a second.
    The dispatches are equally long, so that the last one computes little that nobody asked for.
    """
    most = min(256, max(1, 10**9 // sum(leaf.size for leaf in jax.tree.leaves(params))))
    return max(1, -(-count // max(1, -(-count // most))))
