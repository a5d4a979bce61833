"""Writing many texts at once: a row for each, in one cache. Twin: minillm/in_numpy/batch.py.

A program is compiled for each number of rows: they are dropped when three of four have ended.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from minillm.config import GenerateConfig, ModelConfig, check_finite
from minillm.in_jax.family import forward_of
from minillm.in_jax.generate import ROOM, are_finite, mark, sample
from minillm.in_jax.model import init_cache
from minillm.in_jax.pieces import read, stream
from minillm.in_jax.rows import by_rows
from minillm.in_jax.sharding import split_rows
from minillm.text.lengths import by_position, padded_length

AT_ONCE = 16  # tokens of each row that one compiled loop writes, at most: texts end in between


def choose(logits_BV, coin_B, given_B, seen_BV, sampling: GenerateConfig):
    """The next token of each row, given or sampled; is it given, or are its logits finite?"""
    each = lambda logits_V, coin, seen_V: sample(logits_V, coin, sampling, seen_V)
    token_B, finite_B = jax.vmap(each)(logits_BV, coin_B, seen_BV), jax.vmap(are_finite)(logits_BV)
    return jnp.where(given_B < 0, token_B, given_B).astype(jnp.int32), finite_B | (given_B >= 0)


def batch_step(params, logits_BV, cache, seen_BV, coin_B, given_B, config: ModelConfig,
               sampling: GenerateConfig):
    """One token of each row. Returns (logits_BV of the next, cache, seen_BV), token_B, finite_B."""
    token_B, finite_B = choose(logits_BV, coin_B, given_B, seen_BV, sampling)
    logits_BTV, cache = forward_of(config)(params, token_B[:, None], config, cache)
    return (logits_BTV[:, 0], cache, jax.vmap(mark)(seen_BV, token_B)), token_B, finite_B


@partial(jax.jit, static_argnames=("config", "sampling"), donate_argnames="carry")
def _steps(params, carry, coins_NB, given_NB, config, sampling):
    """N steps in one program: the carry, tokens_NB, finite_NB."""

    def step(carry, drawn):
        carry, token_B, finite_B = batch_step(params, *carry, *drawn, config, sampling)
        return carry, (token_B, finite_B)

    return jax.lax.scan(step, carry, tuple(split_rows(x, axis=1) for x in (coins_NB, given_NB)))


@jax.jit
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
    and, other than there, the token of `stop` that ends it."""
    given_PB, coins_PB, ends_B = by_position(prompts, config, sampling, coins_BN)
    rows, begin = np.arange(len(prompts)), min(map(len, prompts))
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    at_once, params = max(1, min(AT_ONCE, 10**9 // size)), by_rows(params)
    room = -(-(max(room, len(given_PB)) + at_once) // ROOM) * ROOM
    given_PB, coins_PB = (np.pad(x, ((0, room - len(x)), (0, 0))) for x in (given_PB, coins_PB))
    cache = init_cache(config, len(rows), room, params["norm"].dtype)
    read_PB = given_PB[: padded_length(begin, room)]              # padded at its end, as in `prefill`
    x_BTD, cache = stream(params, np.maximum(read_PB.T, 0), config, cache)
    seen_BV = np.stack([np.isin(np.arange(config.vocab_size), prompt) for prompt in prompts])
    carry = read(params, x_BTD[:, begin - 1]), cache | {"length": jnp.int32(begin)}, seen_BV
    sampling = replace(sampling, max_new_tokens=0, seed=0)        # others are the same program
    for p in range(begin, int(max(ends_B)), at_once):
        end, alive_B = p + at_once, p < ends_B[rows]
        if 4 * np.sum(alive_B) <= len(rows):
            some = np.argsort(~alive_B, stable=True)[: -(-len(rows) // 4)]
            rows, carry = rows[some], take_texts(carry, some)
        given_NB = given_PB[p:end, rows]
        carry, written = _steps(params, carry, coins_PB[p:end, rows], given_NB, config, sampling)
        tokens_NB, finite_NB = map(np.asarray, written)
        for n in range(at_once):
            for b, row in enumerate(rows.tolist()):
                if given_NB[n, b] < 0 and p + n < ends_B[row]:
                    check_finite(finite_NB[n, b])
                    yield row, int(tokens_NB[n, b])
                    if tokens_NB[n, b] in stop:
                        ends_B[row] = 0
        if not (ends_B > end).any():
            return
