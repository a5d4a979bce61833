"""Writing many texts at once: a row for each, in one cache. Twin: minillm/in_jax/batch.py.

A matrix is read once for all rows, and reading it is what a new token costs. All rows are at the
same position: what is left of a longer prompt is read while shorter ones are continued already. So
no position is padded, and a row is computed as it would be alone.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from minillm.config import GenerateConfig, ModelConfig, check_finite
from minillm.in_numpy.family import forward_of
from minillm.in_numpy.generate import are_finite, mark, sample
from minillm.in_numpy.model import init_cache
from minillm.in_numpy.pieces import read, stream
from minillm.text.lengths import by_position


def choose(logits_BV, coin_B, given_B, seen_BV, sampling: GenerateConfig):
    """The next token of each row: `given_B`, or a sampled one where that is below 0. Beside it
    whether it is given or its logits are finite."""
    token_B = np.array([sample(logits_V, coin, sampling, seen_V)
                        for logits_V, coin, seen_V in zip(logits_BV, coin_B, seen_BV)])
    finite_B = np.array([are_finite(logits_V) for logits_V in logits_BV])
    return np.where(given_B < 0, token_B, given_B).astype(np.int32), finite_B | (given_B >= 0)


def batch_step(params, logits_BV, cache, seen_BV, coin_B, given_B, config: ModelConfig,
               sampling: GenerateConfig):
    """One token of each row. Returns (logits_BV of the next, cache, seen_BV), token_B, finite_B."""
    token_B, finite_B = choose(logits_BV, coin_B, given_B, seen_BV, sampling)
    logits_BTV, cache = forward_of(config)(params, token_B[:, None], config, cache)
    seen_BV = np.stack([mark(seen_V, token) for seen_V, token in zip(seen_BV, token_B)])
    return (logits_BTV[:, 0], cache, seen_BV), token_B, finite_B


def take_texts(carry, rows):
    """(logits_BV, cache, seen_BV) of some rows of the batch."""
    (logits_BV, cache, seen_BV), (_, S, E) = carry, carry[1]["layers"][0]["k"].shape
    of = lambda x_RSE: x_RSE.reshape(len(logits_BV), -1, S, E)[rows].reshape(-1, S, E)
    layers = [{name: of(x_RSE) for name, x_RSE in layer.items()} for layer in cache["layers"]]
    return logits_BV[rows], cache | {"layers": layers}, seen_BV[rows]


def generate_batch(params, prompts: Sequence[Sequence[int]], config: ModelConfig,
                   sampling: GenerateConfig = GenerateConfig(), stop: Sequence[int] = (),
                   coins_BN=None, room: int = 0) -> Iterator[tuple[int, int]]:
    """Yield (row, token) as they are written: after each prompt what `generate` writes after it,
    and, other than there, the token of `stop` that ends it. A row that has ended is dropped.

    Each row has coins of its own, or those that `generate` draws. `room`: tokens that the cache
    holds at least (JAX compiles for each size). Raises UserError as `generate` does.
    """
    given_PB, coins_PB, ends_B = by_position(prompts, config, sampling, coins_BN)
    rows, begin = np.arange(len(prompts)), min(map(len, prompts))
    cache = init_cache(config, len(rows), int(max(ends_B)), params["norm"].dtype)
    x_BTD, cache = stream(params, given_PB[:begin].T, config, cache)
    seen_BV = np.stack([np.isin(np.arange(config.vocab_size), prompt) for prompt in prompts])
    carry = read(params, x_BTD[:, -1]), cache, seen_BV
    for p in range(begin, int(max(ends_B))):
        alive = p < ends_B[rows]
        rows, carry = rows[alive], carry if alive.all() else take_texts(carry, alive)
        given_B = given_PB[p, rows]
        carry, token_B, finite_B = batch_step(params, *carry, coins_PB[p, rows], given_B, config,
                                              sampling)
        for b in np.flatnonzero(given_B < 0):
            check_finite(finite_B[b])
            yield int(rows[b]), int(token_B[b])
            if token_B[b] in stop:
                ends_B[rows[b]] = 0
        if not (ends_B > p + 1).any():
            return
