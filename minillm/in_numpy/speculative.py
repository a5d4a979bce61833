"""Speculative decoding in NumPy: a small model drafts tokens, the large one checks them at once.

Twin: minillm/in_jax/speculative.py. Leviathan et al. 2023, arXiv:2211.17192, algorithm 1.

p is what the large model samples from and q what the draft samples from, after temperature and
filters. A drafted token x is accepted with probability min(1, p(x) / q(x)); the first that is not
is replaced by a sample of max(0, p - q), brought to a sum of 1. So a token is written with
probability min(p, q) + max(0, p - q) = p: the text has the large model's own distribution, and a
poor draft costs time alone. Axes: N drafted tokens and one more, V vocabulary.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from minillm.config import GenerateConfig, check_draft, check_finite, check_prompt
from minillm.in_numpy.family import forward_of
from minillm.in_numpy.generate import are_finite, distribution, mark, pick, prefill
from minillm.in_numpy.model import init_cache


def draft_steps(draft, token, cache, seen_V, coins_N, config, sampling: GenerateConfig):
    """N tokens after `token`, q_NV of each, seen_NV before each, the cache without the last."""
    tokens, q, seen, V = [], [], [], len(seen_V)
    for coin in coins_N:
        logits_BTV, cache = forward_of(config)(draft, within(token, config), config, cache)
        q_V = distribution(as_wide(logits_BTV[0, 0], V), seen_V, sampling)
        token = pick(q_V, coin)
        tokens, q, seen = [*tokens, token], [*q, q_V], [*seen, seen_V]
        seen_V = mark(seen_V, token)
    return np.stack(tokens), np.stack(q), np.stack(seen), cache


def within(tokens, config):
    """Tokens as a batch of one row, none outside the vocabulary."""
    return np.minimum(np.reshape(tokens, (1, -1)), config.vocab_size - 1)


def as_wide(logits_V, V: int):
    """The logits of V tokens: a vocabulary padded to another size says nothing of the rest."""
    return np.pad(logits_V[:V], (0, max(0, V - len(logits_V))), constant_values=-np.inf)


def verify(p_NV, q_NV, drafted_N, coins_N):
    """How many drafted tokens are accepted, and the token after them. The last row of q is 0."""
    rows = np.arange(len(p_NV))
    p_N, q_N = p_NV[rows, drafted_N], q_NV[rows, drafted_N]
    accepted_N = (q_N > 0) & (coins_N * q_N < p_N)
    count = np.sum(np.cumprod(accepted_N))
    rest_V = np.maximum(p_NV[count] - q_NV[count], 0)
    return count, pick(rest_V, coins_N[-1])


def speculative_step(params, draft, token, cache, draft_cache, seen_V, coins_2N, config,
                     draft_config, sampling: GenerateConfig):
    """One pass of the large model. Returns tokens_N, of which accepted + 1 count; which of them
    have finite logits; accepted; both caches, rewound to the text before its last token; seen_V."""
    start, N = cache["length"], coins_2N.shape[1]
    drafted_N, q_NV, seen_NV, draft_cache = draft_steps(draft, token, draft_cache, seen_V,
                                                        coins_2N[0], draft_config, sampling)
    read_BN = within(np.append(token, drafted_N[:-1]), config)
    logits_BTV, cache = forward_of(config)(params, read_BN, config, cache)
    p_NV = np.stack([distribution(*row, sampling) for row in zip(logits_BTV[0], seen_NV)])
    q_NV = np.where(np.arange(N)[:, None] < N - 1, q_NV, 0)   # nothing was drafted after the last
    accepted, after = verify(p_NV, q_NV, drafted_N, coins_2N[1])
    tokens_N = np.where(np.arange(N) < accepted, drafted_N, after)
    rewound = {"length": start + accepted + 1}
    seen_V = mark(seen_NV[accepted], after)
    finite_N = (np.arange(N) < accepted) | are_finite(logits_BTV[0, accepted])
    return tokens_N, finite_N, accepted, cache | rewound, draft_cache | rewound, seen_V


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
    rng, room = np.random.default_rng(sampling.seed), len(prompt) + count + ahead + 1
    cache, draft_cache = (init_cache(one, 1, room, model["norm"].dtype)
                          for one, model in ((config, params), (draft_config, draft)))
    seen_V, coin = np.isin(np.arange(config.vocab_size), prompt), rng.random(dtype=np.float32)
    token, cache, finite = prefill(params, prompt, cache, seen_V, coin, config, sampling)
    _, draft_cache, _ = prefill(draft, within(prompt, draft_config)[0], draft_cache, None, coin,
                                draft_config, GenerateConfig(temperature=0))
    tokens, finite, done, seen_V = [int(token)], [finite], 1, mark(seen_V, token)
    while True:
        for token, is_finite in zip(tokens, finite):
            check_finite(is_finite)
            if token in stop:
                return
            yield token
        if done == count:
            return
        coins_2N = rng.random((2, ahead + 1), np.float32)
        tokens_N, finite, accepted, cache, draft_cache, seen_V = speculative_step(
            params, draft, token, cache, draft_cache, seen_V, coins_2N, config, draft_config,
            sampling)
        on_pass(int(accepted))
        tokens = tokens_N[: accepted + 1].tolist()[: count - done]
        done += len(tokens)
