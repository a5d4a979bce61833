"""Writing text in NumPy: one token after another, from a cache. Twin: minillm/in_jax/generate.py.

Randomness is an argument: `sample` is handed a coin in [0, 1), so both twins write the same text.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from minillm.config import GenerateConfig, ModelConfig, check_prompt
from minillm.in_numpy.model import forward, init_cache
from minillm.in_numpy.ops import softmax

TOKENS_PER_DISPATCH = 1  # nothing to gain from more: each token is yielded when it is there


def sample(logits_V, coin, how: GenerateConfig):
    """The token that a coin in [0, 1) falls on, tokens laid end to end from the most to the least probable.

    p = softmax(logits / temperature); temperature 0 means the most probable token. `top_k` > 0 keeps the k most
    probable; `top_p` < 1 keeps the fewest whose probabilities reach top_p, the one that crosses it included
    (Holtzman et al. 2020, arXiv:1904.09751, eq. 2).
    """
    if how.temperature == 0:
        return np.argmax(logits_V)
    p_V = softmax(logits_V / how.temperature)
    order_V = np.argsort(-p_V, stable=True)
    p_V = p_V[order_V]
    kept_V = np.cumsum(p_V) - p_V < how.top_p
    if how.top_k > 0:
        kept_V = kept_V & (np.arange(len(p_V)) < how.top_k)
    upto_V = np.cumsum(np.where(kept_V, p_V, 0))
    return order_V[np.argmax(upto_V > coin * upto_V[-1])]


def decode_step(params, token, cache, coin, config: ModelConfig, how: GenerateConfig):
    """The token after `token`, and the cache that has seen `token`."""
    logits_BTV, cache = forward(params, np.reshape(token, (1, 1)), config, cache)
    return sample(logits_BTV[0, 0], coin, how), cache


def decode_steps(params, token, cache, coins_N, config: ModelConfig, how: GenerateConfig):
    """The N tokens after `token`, one per coin, and the cache that has seen all of them but the last."""
    tokens = []
    for coin in coins_N:
        token, cache = decode_step(params, token, cache, coin, config, how)
        tokens.append(token)
    return np.array(tokens), cache


def prefill(params, prompt: Sequence[int], cache, coin, config: ModelConfig, how: GenerateConfig):
    """Read the prompt in one pass. Returns the first new token and the cache that has seen the prompt."""
    logits_BTV, cache = forward(params, np.array(prompt)[None], config, cache)
    return sample(logits_BTV[0, -1], coin, how), cache


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
    coins = np.random.default_rng(how.seed).random(count, np.float32)
    cache = init_cache(config, 1, len(prompt) + count, params["norm"].dtype)
    token, cache = prefill(params, prompt, cache, coins[0], config, how)
    tokens, done = [int(token)], 1
    while True:
        for token in tokens:
            if token in stop:
                return
            yield token
        if done == count:
            return
        coins_N = coins[done : done + TOKENS_PER_DISPATCH]
        tokens, cache = decode_steps(params, tokens[-1], cache, coins_N, config, how)
        tokens, done = tokens.tolist(), done + len(coins_N)
