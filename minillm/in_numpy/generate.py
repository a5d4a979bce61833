"""Generating text in NumPy, token by token with a KV cache. Twin: minillm/in_jax/generate.py.

Randomness is an argument: `sample` takes a `coin`, a number drawn uniformly from [0, 1), so both
twins generate the same text.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from minillm.config import GenerateConfig, ModelConfig, check_prompt, check_token
from minillm.in_numpy.family import forward_of
from minillm.in_numpy.model import init_cache
from minillm.in_numpy.ops import softmax
from minillm.in_numpy.pieces import read, stream

TOKENS_PER_DISPATCH = 1  # nothing to gain from more: each token is yielded when it is there


def sample(logits_V, coin, sampling: GenerateConfig, seen_V=None):
    """Sample a token by inverse CDF: `coin` is uniform in [0, 1).

    p = softmax(logits / temperature); temperature 0 returns the most probable token. `seen_V` marks
    the tokens of the text so far, for the repetition penalty. Returns the sentinel V if the logits
    contain NaN. All three filters use the same p; a token must pass each of them:
      top_k   the k most probable tokens (0: all)
      top_p   the fewest most probable tokens whose p add up to at least top_p
              (Holtzman et al. 2020, arXiv:1904.09751, eq. 2)
      min_p   the tokens with p >= min_p * max(p) (Nguyen et al. 2024, arXiv:2407.01082)
    """
    V = len(logits_V)
    if sampling.repetition_penalty != 1 and seen_V is not None:
        logits_V = penalize(logits_V, seen_V, sampling.repetition_penalty)
    if sampling.temperature == 0:
        return np.min(np.where(logits_V == np.max(logits_V), np.arange(V), V))
    p_V = softmax(logits_V / sampling.temperature)
    order_V = np.arange(V)
    if sampling.top_k > 0 or sampling.top_p < 1:
        order_V = np.argsort(-p_V, stable=True)[: sampling.top_k or V]
    p_V = p_V[order_V]
    kept_V = p_V >= sampling.min_p * np.max(p_V)
    if sampling.top_p < 1:
        kept_V = kept_V & (np.cumsum(p_V) - p_V < sampling.top_p)
    upto_V = np.cumsum(np.where(kept_V, p_V, 0))
    return np.where(upto_V[-1] > 0, order_V[np.argmax(upto_V > coin * upto_V[-1])], V)


def penalize(logits_V, seen_V, penalty: float):
    """Lower the logits of seen tokens: x / penalty where x > 0, x * penalty elsewhere.

    Keskar et al. 2019, arXiv:1909.05858.
    """
    return np.where(seen_V, np.where(logits_V > 0, logits_V / penalty, logits_V * penalty), logits_V)


def decode_step(params, token, cache, seen_V, coin, config: ModelConfig,
                sampling: GenerateConfig):
    """The token after `token`, and the cache with `token` added."""
    logits_BTV, cache = forward_of(config)(params, np.reshape(token, (1, 1)), config, cache)
    return sample(logits_BTV[0, 0], coin, sampling, seen_V), cache


def decode_steps(params, token, cache, seen_V, coins_N, config: ModelConfig,
                 sampling: GenerateConfig):
    """The N tokens after `token`, one per coin; the cache with all but the last; the new seen_V."""
    tokens = []
    for coin in coins_N:
        token, cache = decode_step(params, token, cache, seen_V, coin, config, sampling)
        seen_V = mark(seen_V, token)
        tokens.append(token)
    return np.array(tokens), cache, seen_V


def mark(seen_V, token):
    """`seen_V` with `token` marked. The sentinel V changes nothing."""
    return seen_V | (np.arange(len(seen_V)) == token)


def prefill(params, prompt: Sequence[int], cache, seen_V, coin, config: ModelConfig,
            sampling: GenerateConfig):
    """Process the prompt in one pass. Returns the first new token and the cache with the prompt."""
    x_BTD, cache = stream(params, np.array(prompt)[None], config, cache)
    return sample(read(params, x_BTD[0, -1]), coin, sampling, seen_V), cache


def generate(params, prompt: Sequence[int], config: ModelConfig,
             sampling: GenerateConfig = GenerateConfig(), stop: Sequence[int] = ()) -> Iterator[int]:
    """Yield new token ids, at most `sampling.max_new_tokens`.

    Stops before a token in `stop`, or at the end of the context. The coins come from NumPy's
    generator with `sampling.seed`. Raises UserError if the prompt is empty, too long for the
    context, or contains ids outside the vocabulary, or if the logits contain NaN.
    """
    check_prompt(prompt, config)
    count = min(sampling.max_new_tokens, config.max_position_embeddings - len(prompt))
    if count == 0:
        return
    coins = np.random.default_rng(sampling.seed).random(count, np.float32)
    cache = init_cache(config, 1, len(prompt) + count, params["norm"].dtype)
    seen_V = np.isin(np.arange(config.vocab_size), prompt)
    token, cache = prefill(params, prompt, cache, seen_V, coins[0], config, sampling)
    tokens, done, seen_V = [int(token)], 1, mark(seen_V, token)
    while True:
        for token in tokens:
            check_token(token, config)
            if token in stop:
                return
            yield token
        if done == count:
            return
        coins_N = coins[done : done + TOKENS_PER_DISPATCH]
        tokens, cache, seen_V = decode_steps(params, tokens[-1], cache, seen_V, coins_N, config,
                                             sampling)
        tokens, done = tokens.tolist(), done + len(coins_N)
