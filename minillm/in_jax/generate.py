"""Writing text in JAX: one token after another, from a cache. Twin: minillm/in_numpy/generate.py.

Randomness is an argument: `sample` is handed a coin in [0, 1), so both twins write the same text.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from minillm.config import GenerateConfig, ModelConfig, check_prompt
from minillm.in_jax.model import forward, init_cache
from minillm.in_jax.ops import softmax

TOKENS_PER_DISPATCH = 16  # one compiled loop writes this many before Python sees them
ROOM = 64  # prompts and caches are padded to a multiple of this, so that few shapes are compiled


@partial(jax.jit, static_argnames="how")
def sample(logits_V, coin, how: GenerateConfig):
    """The token that a coin in [0, 1) falls on, tokens laid end to end from the most to the least probable."""
    if how.temperature == 0:
        return jnp.argmax(logits_V)
    p_V = softmax(logits_V / how.temperature)
    order_V = jnp.argsort(-p_V, stable=True)
    p_V = p_V[order_V]
    kept_V = jnp.cumsum(p_V) - p_V < how.top_p
    if how.top_k > 0:
        kept_V = kept_V & (jnp.arange(len(p_V)) < how.top_k)
    upto_V = jnp.cumsum(jnp.where(kept_V, p_V, 0))
    return order_V[jnp.argmax(upto_V > coin * upto_V[-1])]


def decode_step(params, token, cache, coin, config: ModelConfig, how: GenerateConfig):
    """The token after `token`, and the cache that has seen `token`."""
    logits_BTV, cache = forward(params, jnp.reshape(token, (1, 1)), config, cache)
    return sample(logits_BTV[0, 0], coin, how), cache


@partial(jax.jit, static_argnames=("config", "how"), donate_argnames="cache")
def decode_steps(params, token, cache, coins_N, config: ModelConfig, how: GenerateConfig):
    """The N tokens after `token`, one per coin, and the cache that has seen all of them but the last."""

    def step(carry, coin):
        token, cache = decode_step(params, *carry, coin, config, how)
        return (token.astype(jnp.int32), cache), token

    (_, cache), tokens = jax.lax.scan(step, (jnp.int32(token), cache), coins_N)
    return tokens, cache


_read = jax.jit(forward, static_argnames=("config", "tap"), donate_argnames="cache")


def prefill(params, prompt: Sequence[int], cache, coin, config: ModelConfig, how: GenerateConfig):
    """Read the prompt in one pass. Returns the first new token and the cache that has seen the prompt.

    The prompt is padded. Padding stands after it, where no query of the prompt looks, and is written over later.
    """
    padded = np.zeros(-(-len(prompt) // ROOM) * ROOM, np.int32)
    padded[: len(prompt)] = prompt
    logits_BTV, cache = _read(params, padded[None], config, cache)
    return sample(logits_BTV[0, len(prompt) - 1], coin, how), cache | {"length": jnp.int32(len(prompt))}


def generate(params, prompt: Sequence[int], config: ModelConfig, how: GenerateConfig = GenerateConfig(),
             stop: Sequence[int] = ()) -> Iterator[int]:
    """Yield new token ids until `how.max_new_tokens`, a token in `stop` (not yielded), or the end of the context.

    Coins come from NumPy's generator for `how.seed`. Raises UserError for a prompt that is empty, too long for the
    context, or holds ids outside the vocabulary.
    """
    check_prompt(prompt, config)
    count = min(how.max_new_tokens, config.max_position_embeddings - len(prompt))
    if count == 0:
        return
    coins = np.zeros(-(-count // TOKENS_PER_DISPATCH) * TOKENS_PER_DISPATCH + 1, np.float32)
    coins[:count] = np.random.default_rng(how.seed).random(count, np.float32)
    cache = init_cache(config, 1, -(-(len(prompt) + len(coins)) // ROOM) * ROOM, params["norm"].dtype)
    token, cache = prefill(params, prompt, cache, coins[0], config, how)
    tokens, done = [int(token)], 1
    while True:
        for token in tokens:
            if token in stop:
                return
            yield token
        if done >= count:
            return
        coins_N = coins[done : done + TOKENS_PER_DISPATCH]
        tokens, cache = decode_steps(params, tokens[-1], cache, coins_N, config, how)
        tokens, done = tokens.tolist()[: count - done], done + len(coins_N)
