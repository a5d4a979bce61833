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

from minillm.config import GenerateConfig, check_draft, check_prompt, check_token
from minillm.in_jax.family import forward_of
from minillm.in_jax.generate import ROOM, distribution, mark, pick, prefill
from minillm.in_jax.model import init_cache


def draft_steps(draft, token, cache, seen_V, coins_N, config, how: GenerateConfig):
    """N tokens after `token`, q_NV of each, seen_NV before each, the cache without the last."""
    V = len(seen_V)

    def step(carry, coin):
        token, cache, seen_V = carry
        logits_BTV, cache = forward_of(config)(draft, within(token, config), config, cache)
        q_V = distribution(as_wide(logits_BTV[0, 0], V), seen_V, how)
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
    V, rows = p_NV.shape[1], jnp.arange(len(p_NV))
    at_N = jnp.minimum(drafted_N, V - 1)
    accepted_N = coins_N * q_NV[rows, at_N] < p_NV[rows, at_N]
    accepted_N = accepted_N & (drafted_N < V) & (rows < rows[-1])
    count = jnp.sum(jnp.cumprod(accepted_N))
    rest_V = jnp.maximum(p_NV[count] - q_NV[count], 0)
    return count, pick(rest_V, coins_N[-1])


def speculative_step(params, draft, token, cache, draft_cache, seen_V, coins_2N, config,
                     draft_config, how: GenerateConfig):
    """One pass of the large model. Returns tokens_N, of which accepted + 1 count; accepted; both
    caches, rewound to the text without its last token; the new seen_V."""
    start, N = cache["length"], coins_2N.shape[1]
    drafted_N, q_NV, seen_NV, draft_cache = draft_steps(draft, token, draft_cache, seen_V,
                                                        coins_2N[0], draft_config, how)
    read_BN = within(jnp.append(token, drafted_N[:-1]), config)
    logits_BTV, cache = forward_of(config)(params, read_BN, config, cache)
    p_NV = jax.vmap(partial(distribution, how=how))(logits_BTV[0], seen_NV)
    q_NV = jnp.where(jnp.arange(N)[:, None] < N - 1, q_NV, 0)  # nothing was drafted after the last
    accepted, after = verify(p_NV, q_NV, drafted_N, coins_2N[1])
    tokens_N = jnp.where(jnp.arange(N) < accepted, drafted_N, after)
    rewound = {"length": start + accepted + 1}
    seen_V = mark(seen_NV[accepted], after)
    return tokens_N, accepted, cache | rewound, draft_cache | rewound, seen_V


@partial(jax.jit, static_argnames=("config", "draft_config", "how"),
         donate_argnames=("cache", "draft_cache"))
def _passes(params, draft, token, cache, draft_cache, seen_V, coins_P2N, config, draft_config, how):
    """P passes: (the last token, both caches, seen_V), tokens_PN, accepted_P."""

    def step(carry, coins_2N):
        tokens_N, accepted, *carry = speculative_step(params, draft, *carry, coins_2N, config,
                                                      draft_config, how)
        return (tokens_N[accepted].astype(jnp.int32), *carry), (tokens_N, accepted)

    carry, written = jax.lax.scan(step, (token, cache, draft_cache, seen_V), coins_P2N)
    return carry, *written


def speculate(params, draft, prompt: Sequence[int], config, draft_config,
              how: GenerateConfig = GenerateConfig(), stop: Sequence[int] = (), ahead: int = 4,
              on_pass=lambda accepted: None) -> Iterator[int]:
    """`generate` with a draft of `ahead` tokens; `on_pass(accepted)` is called for each pass.
    Raises UserError as `generate` does, and for a draft with a shorter context."""
    check_prompt(prompt, config)
    count = min(how.max_new_tokens, config.max_position_embeddings - len(prompt))
    check_draft(len(prompt) + count, draft_config)
    if count == 0:
        return
    params, draft = jax.tree.map(jnp.asarray, (params, draft))    # to the device once
    at_once = max(1, min(16, 10**8 // sum(leaf.size for leaf in jax.tree.leaves(params))))
    rng, room = np.random.default_rng(how.seed), len(prompt) + count + at_once * (ahead + 1)
    cache, draft_cache = (init_cache(one, 1, -(-room // ROOM) * ROOM, model["norm"].dtype)
                          for one, model in ((config, params), (draft_config, draft)))
    how = replace(how, max_new_tokens=0, seed=0)                  # other ones are the same program
    seen_V = jnp.asarray(np.isin(np.arange(config.vocab_size), prompt))
    coin = rng.random(dtype=np.float32)
    token, cache = prefill(params, prompt, cache, seen_V, coin, config, how)
    _, draft_cache = prefill(draft, within(np.array(prompt), draft_config)[0], draft_cache, None,
                             coin, draft_config, GenerateConfig(temperature=0))
    tokens, done, seen_V = [int(token)], 1, mark(seen_V, token)
    carry = jnp.int32(token), cache, draft_cache, seen_V
    while True:
        for token in tokens:
            check_token(token, config)
            if token in stop:
                return
            yield token
        if done == count:
            return
        coins_P2N = rng.random((at_once, 2, ahead + 1), np.float32)
        carry, tokens_PN, accepted_P = _passes(params, draft, *carry, coins_P2N, config,
                                               draft_config, how)
        tokens = []
        for row, accepted in zip(np.asarray(tokens_PN), np.asarray(accepted_P).tolist()):
            if done + len(tokens) < count:
                on_pass(accepted)
                tokens += row[: accepted + 1].tolist()
        tokens = tokens[: count - done]
        done += len(tokens)
