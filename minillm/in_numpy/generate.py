"""Generating text in NumPy, token by token with a KV cache. Twin: minillm/in_jax/generate.py.

Randomness is an argument: `sample` takes a `coin`, a number drawn uniformly from [0, 1), so both
twins generate the same text.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from minillm.config import GenerateConfig, ModelConfig, check_finite, check_prompt
from minillm.in_numpy.family import forward_of
from minillm.in_numpy.model import init_cache
from minillm.in_numpy.ops import softmax
from minillm.in_numpy.pieces import read, stream


def sample(logits_V, coin, sampling: GenerateConfig, seen_V=None):
    """Sample a token by inverse CDF: `coin` is uniform in [0, 1).

    p = softmax(logits / temperature); temperature 0 returns the most probable token. `seen_V` marks
    the tokens of the text so far, for the repetition penalty. If the logits are not finite the
    token says nothing: see `are_finite`. A token must pass all three filters, which use the same p:
      top_k   the k most probable tokens (0: all)
      top_p   the fewest most probable tokens whose p add up to at least top_p
              (Holtzman et al. 2020, arXiv:1904.09751, eq. 2)
      min_p   the tokens with p >= min_p * max(p) (Nguyen et al. 2024, arXiv:2407.01082)
    """
    V = len(logits_V)
    if sampling.repetition_penalty != 1 and seen_V is not None:
        logits_V = penalize(logits_V, seen_V, sampling.repetition_penalty)
    if sampling.temperature == 0:
        return np.min(np.where(logits_V == np.max(logits_V), np.arange(V), V - 1))
    order_V, p_V = candidates(logits_V, sampling)
    upto_V = np.cumsum(p_V)
    return order_V[np.argmax(upto_V > coin * upto_V[-1])]


def candidates(logits_V, sampling: GenerateConfig):
    """The tokens that `sample` chooses from, and their p: 0 for those that a filter leaves out."""
    order_V, p_V = np.arange(len(logits_V)), softmax(logits_V / sampling.temperature)
    if sampling.top_k > 0 or sampling.top_p < 1:
        order_V = np.argsort(-p_V, stable=True)[: sampling.top_k or len(p_V)]
    p_V = p_V[order_V]
    kept_V = p_V >= sampling.min_p * np.max(p_V)
    if sampling.top_p < 1:
        kept_V = kept_V & (np.cumsum(p_V) - p_V < sampling.top_p)
    return order_V, np.where(kept_V, p_V, 0)


def distribution(logits_V, seen_V, sampling: GenerateConfig):
    """p_V of `sample`. Temperature 0: 1 for the most probable token. NaN: all 0."""
    ids_V, p_V = np.arange(len(logits_V)), np.zeros_like(logits_V)
    if sampling.repetition_penalty != 1:
        logits_V = penalize(logits_V, seen_V, sampling.repetition_penalty)
    if sampling.temperature == 0:
        first = np.min(np.where(logits_V == np.max(logits_V), ids_V, len(ids_V)))
        return (ids_V == first).astype(p_V.dtype)
    order, p = candidates(logits_V, sampling)
    np.put_along_axis(p_V, order, p, axis=0)
    return np.where(np.sum(p) > 0, p_V / np.sum(p), 0)


def pick(p_V, coin):
    """A token by inverse CDF: `coin` is uniform in [0, 1)."""
    upto_V = np.cumsum(p_V)
    return np.argmax(upto_V > coin * upto_V[-1])


def are_finite(logits):
    """Are the largest logits (..., V) finite? They are NaN if any is; -inf may rule a token out."""
    return np.all(np.isfinite(np.max(logits, axis=-1)))


def penalize(logits_V, seen_V, penalty: float):
    """Lower the logits of seen tokens: x / penalty where x > 0, x * penalty elsewhere.

    Keskar et al. 2019, arXiv:1909.05858.
    """
    penalized_V = np.where(logits_V > 0, logits_V / penalty, logits_V * penalty)
    return np.where(seen_V, penalized_V, logits_V)


def decode_step(params, token, cache, seen_V, coin, config: ModelConfig,
                sampling: GenerateConfig):
    """The token after `token`, the cache with `token` added, and whether the logits are finite."""
    logits_BTV, cache = forward_of(config)(params, np.reshape(token, (1, 1)), config, cache)
    return sample(logits_BTV[0, 0], coin, sampling, seen_V), cache, are_finite(logits_BTV)


def decode_steps(params, token, cache, seen_V, coins_N, config: ModelConfig,
                 sampling: GenerateConfig):
    """The N tokens after `token`, one per coin; the cache with all but the last; the new seen_V;
    for each token whether its logits are finite."""
    tokens, finite = [], []
    for coin in coins_N:
        token, cache, is_finite = decode_step(params, token, cache, seen_V, coin, config, sampling)
        seen_V = mark(seen_V, token)
        tokens.append(token)
        finite.append(is_finite)
    return np.array(tokens), cache, seen_V, np.array(finite)


def mark(seen_V, token):
    """`seen_V` with `token` marked."""
    return seen_V | (np.arange(len(seen_V)) == token)


def prefill(params, prompt: Sequence[int], cache, seen_V, coin, config: ModelConfig,
            sampling: GenerateConfig):
    """Read the prompt in one pass. Returns what `decode_step` does for the first new token."""
    x_BTD, cache = stream(params, np.array(prompt)[None], config, cache)
    logits_V = read(params, x_BTD[0, -1])
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
    coins = np.random.default_rng(sampling.seed).random(count, np.float32)
    cache = init_cache(config, 1, len(prompt) + count, params["norm"].dtype)
    seen_V = np.isin(np.arange(config.vocab_size), prompt)
    token, cache, is_finite = prefill(params, prompt, cache, seen_V, coins[0], config, sampling)
    for coin in [*coins[1:], None]:
        check_finite(is_finite)
        if token in stop:
            return
        yield int(token)
        if coin is not None:
            seen_V = mark(seen_V, token)
            token, cache, is_finite = decode_step(params, token, cache, seen_V, coin, config,
                                                  sampling)
