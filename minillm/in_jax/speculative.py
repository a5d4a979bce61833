"""Speculative decoding in JAX: a small model drafts tokens, the large one checks them at once.

Twin: minillm/in_numpy/speculative.py, which has the idea. Axes: N drafted tokens and one more,
V vocabulary, P passes of the large model, which are one program.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from minillm.config import GenerateConfig, check_draft, check_finite, check_prompt
from minillm.in_jax.family import forward_of
from minillm.in_jax.generate import ROOM, are_finite, distribution, mark, pick, prefill
from minillm.in_jax.model import init_cache


def draft_steps(draft, token, cache, seen_V, coins_N, config, sampling: GenerateConfig):
    """N tokens after `token`, q_NV of each, seen_NV before each, the cache without the last."""
    V = len(seen_V)

    def step(carry, coin):
        token, cache, seen_V = carry
        logits_BTV, cache = forward_of(config)(draft, within(token, config), config, cache)
        q_V = distribution(as_wide(logits_BTV[0, 0], V), seen_V, sampling)
        token = pick(q_V, coin).astype(jnp.int32)
        return (token, cache, mark(seen_V, token)), (token, q_V, seen_V)

    carry = jnp.int32(token), cache | {"length": jnp.int32(cache["length"])}, seen_V
    (_, cache, _), (tokens_N, q_NV, seen_NV) = jax.lax.scan(step, carry, coins_N)
    return tokens_N, q_NV, seen_NV, cache


def within(tokens, config):
    """Tokens as a batch of one row, none outside the vocabulary."""
    return jnp.minimum(jnp.reshape(tokens, (1, -1)), config.vocab_size - 1)


def as_wide(logits_V, V: int):
    """The logits of V tokens: a vocabulary padded to another size says nothing of the rest."""
    return jnp.pad(logits_V[:V], (0, max(0, V - len(logits_V))), constant_values=-jnp.inf)


def verify(p_NV, q_NV, drafted_N, coins_N):
    """How many drafted tokens are accepted, and the token after them. The last row of q is 0."""
    rows = jnp.arange(len(p_NV))
    p_N, q_N = p_NV[rows, drafted_N], q_NV[rows, drafted_N]
    accepted_N = (q_N > 0) & (coins_N * q_N < p_N)
    count = jnp.sum(jnp.cumprod(accepted_N))
    rest_V = jnp.maximum(p_NV[count] - q_NV[count], 0)
    return count, pick(rest_V, coins_N[-1])


def speculative_step(params, draft, token, cache, draft_cache, seen_V, coins_2N, config,
                     draft_config, sampling: GenerateConfig):
    """One pass of the large model. Returns tokens_N, of which accepted + 1 count; which of them
    have finite logits; accepted; both caches, rewound to the text before its last token; seen_V."""
    start, N = cache["length"], coins_2N.shape[1]
    drafted_N, q_NV, seen_NV, draft_cache = draft_steps(draft, token, draft_cache, seen_V,
                                                        coins_2N[0], draft_config, sampling)
    read_BN = within(jnp.append(token, drafted_N[:-1]), config)
    logits_BTV, cache = forward_of(config)(params, read_BN, config, cache)
    p_NV = jax.vmap(partial(distribution, sampling=sampling))(logits_BTV[0], seen_NV)
    q_NV = jnp.where(jnp.arange(N)[:, None] < N - 1, q_NV, 0)  # nothing was drafted after the last
    accepted, after = verify(p_NV, q_NV, drafted_N, coins_2N[1])
    tokens_N = jnp.where(jnp.arange(N) < accepted, drafted_N, after)
    rewound = {"length": start + accepted + 1}
    seen_V = mark(seen_NV[accepted], after)
    finite_N = (jnp.arange(N) < accepted) | are_finite(logits_BTV[0, accepted])
    return tokens_N, finite_N, accepted, cache | rewound, draft_cache | rewound, seen_V


@partial(jax.jit, static_argnames=("config", "draft_config", "sampling"),
         donate_argnames=("cache", "draft_cache"))
def _passes(params, draft, token, cache, draft_cache, seen_V, coins_P2N, config, draft_config,
            sampling):
    """P passes: (the last token, both caches, seen_V), tokens_PN, finite_PN, accepted_P."""

    def step(carry, coins_2N):
        tokens_N, finite_N, accepted, *carry = speculative_step(
            params, draft, *carry, coins_2N, config, draft_config, sampling)
        return (tokens_N[accepted].astype(jnp.int32), *carry), (tokens_N, finite_N, accepted)

    carry, written = jax.lax.scan(step, (token, cache, draft_cache, seen_V), coins_P2N)
    return carry, *written


def speculate(params, draft, prompt: Sequence[int], config, draft_config,
              sampling: GenerateConfig = GenerateConfig(), stop: Sequence[int] = (), ahead: int = 4,
              on_pass=lambda accepted: None) -> Iterator[int]:
    """`generate` with a draft of `ahead` tokens; `on_pass(accepted)` is called for each pass.
    Raises UserError as `generate` does, and for a draft with a shorter context."""
    check_prompt(prompt, config)
    count = min(sampling.max_new_tokens, config.max_position_embeddings - len(prompt))
    check_draft(len(prompt) + count, draft_config)
    if count == 0:
        return
    params, draft = jax.tree.map(jnp.asarray, (params, draft))    # to the device once
    at_once = max(1, min(16, 10**8 // sum(leaf.size for leaf in jax.tree.leaves(params))))
    rng, room = np.random.default_rng(sampling.seed), len(prompt) + count + at_once * (ahead + 1)
    cache, draft_cache = (init_cache(one, 1, -(-room // ROOM) * ROOM, model["norm"].dtype)
                          for one, model in ((config, params), (draft_config, draft)))
    sampling = replace(sampling, max_new_tokens=0, seed=0)        # others are the same program
    seen_V = jnp.asarray(np.isin(np.arange(config.vocab_size), prompt))
    coin = rng.random(dtype=np.float32)
    token, cache, finite = prefill(params, prompt, cache, seen_V, coin, config, sampling)
    _, draft_cache, _ = prefill(draft, within(np.array(prompt), draft_config)[0], draft_cache, None,
                                coin, draft_config, GenerateConfig(temperature=0))
    tokens, finite, done, seen_V = [int(token)], [finite], 1, mark(seen_V, token)
    carry = jnp.int32(token), cache, draft_cache, seen_V
    while True:
        for token, is_finite in zip(tokens, finite):
            check_finite(is_finite)
            if token in stop:
                return
            yield token
        if done == count:
            return
        coins_P2N = rng.random((at_once, 2, ahead + 1), np.float32)
        carry, *passes = _passes(params, draft, *carry, coins_P2N, config, draft_config, sampling)
        tokens, finite = [], []
        for tokens_N, finite_N, accepted in zip(*map(np.asarray, passes)):
            if done + len(tokens) < count:
                on_pass(int(accepted))
                tokens += tokens_N[: accepted + 1].tolist()
                finite += finite_N[: accepted + 1].tolist()
        tokens = tokens[: count - done]
        done += len(tokens)
