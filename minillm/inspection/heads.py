"""What heads look at: scores of their patterns, beside the score of uniform attention.

previous    mean attention to the previous token
duplicate   mean attention to earlier occurrences of the same token
induction   mean attention to the tokens that followed earlier occurrences of the same token
            (Olsson et al. 2022, arXiv:2209.11895)

A pattern says where a head reads, not what it reads or whether that matters. To learn whether it
matters, use ablation.
"""

from dataclasses import dataclass

import numpy as np

from minillm.errors import UserError
from minillm.inspection.dispatch import each_text, prompt_tokens
from minillm.inspection.record import run
from minillm.inspection.shown import Result
from minillm.loading import Model

KINDS = ("previous", "duplicate", "induction")


@dataclass(frozen=True)
class HeadScores(Result):
    """Scores (layers, heads) from 0 to 1, and those of uniform attention; NaN if undefined."""

    previous_LH: np.ndarray
    duplicate_LH: np.ndarray
    induction_LH: np.ndarray
    uniform: dict


def targets(tokens_T) -> dict[str, np.ndarray]:
    """For each kind of score, a mask (T, S) of the keys s that count for the query t."""
    same_TS = np.tril(tokens_T[:, None] == tokens_T[None, :], -1)
    after_TS = np.zeros_like(same_TS)
    after_TS[:, 1:] = same_TS[:, :-1]
    return {"previous": np.eye(len(tokens_T), k=-1, dtype=bool), "duplicate": same_TS,
            "induction": np.tril(after_TS)}


def mean_attention(pattern_HTS, target_TS) -> np.ndarray:
    """Attention to the target keys, summed per query, averaged over queries that have any: (H,)."""
    queries = target_TS.any(1)
    if not queries.any():
        return np.full(len(pattern_HTS), np.nan)
    return np.sum(pattern_HTS * target_TS, axis=-1)[:, queries].mean(-1)


def score_patterns(pattern_LHTS, tokens_T) -> HeadScores:
    """The scores of recorded patterns of one text."""
    T = len(tokens_T)
    uniform_TS = np.tril(np.ones((T, T))) / np.arange(1, T + 1)[:, None]
    kinds = targets(np.asarray(tokens_T))
    return HeadScores(
        **{f"{kind}_LH": np.array([mean_attention(each, kinds[kind]) for each in pattern_LHTS])
           for kind in KINDS},
        uniform={kind: float(mean_attention(uniform_TS[None], kinds[kind])[0]) for kind in KINDS})


def patterns(seen: dict, config, row: int | None = None) -> np.ndarray:
    """The patterns of one text of a record as (layers, heads, T, S). Raises UserError where there
    are several and none is chosen."""
    texts = len(seen["layers.0.pattern"])
    if row is None and texts > 1:
        raise UserError(f"the record is of {texts} texts: say the row of one")
    row = row or 0
    each = [seen[f"layers.{i}.pattern"][row] for i in range(config.num_hidden_layers)]
    return np.stack([pattern.reshape(-1, *pattern.shape[-2:]) for pattern in each])


@each_text
def head_scores(model: Model, prompt, seen: dict | None = None, twin: str = "jax") -> HeadScores:
    """The scores of every head on a prompt."""
    tokens_BT = prompt_tokens(model, prompt)
    seen = seen or run(model, tokens_BT, "*.pattern", (), twin)[1]
    return score_patterns(patterns(seen, model.config), tokens_BT[0])


def scores_on_repeats(model: Model, length: int = 24, rows: int = 4, seed: int = 0,
                      twin: str = "jax") -> HeadScores:
    """Scores on random tokens that are repeated once: only the repetition has any structure."""
    rng, ordinary = np.random.default_rng(seed), ordinary_tokens(model)
    length = min(length, (model.config.max_position_embeddings - 1) // 2, len(ordinary))
    drawn = np.array([rng.choice(ordinary, length, replace=False) for _ in range(rows)])
    begin = np.tile(np.array(model.begin, int), (rows, 1))
    tokens_BT = np.concatenate([begin, drawn, drawn], 1)[:, : model.config.max_position_embeddings]
    seen = run(model, tokens_BT, "*.pattern", (), twin)[1]
    found = [score_patterns(patterns(seen, model.config, row), tokens)
             for row, tokens in enumerate(tokens_BT)]
    return HeadScores(*(np.mean([getattr(each, f"{kind}_LH") for each in found], 0)
                        for kind in KINDS), uniform=found[0].uniform)


def ordinary_tokens(model: Model) -> np.ndarray:
    """The ids of all tokens that are not special."""
    special = set() if model.tokenizer is None else set(model.tokenizer.special_tokens.values())
    return np.array([i for i in range(model.config.vocab_size) if i not in special])
