"""Patching averaged over many pairs of prompts, with intervals: is it so in general, or here only?

    pairs = read_pairs(text)        # a pair a line: clean, corrupt, target, rival; tabs between
    found = patch_pairs(model, pairs, "z", "head")
    found.share_LN, found.low_LN, found.high_LN

What a patch brings back is the mean of (patched - corrupt) over the pairs, as a share of the mean
of (clean - corrupt): a ratio of means, because a pair whose own difference is near 0 would rule a
mean of ratios. Intervals: pairs are drawn with replacement, 95% by percentiles (Efron 1979, Ann.
Stat. 7:1). They say how well the mean over such pairs is known, nothing about other kinds of texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minillm.errors import UserError
from minillm.inspection.patching import equally_long, patch, rank_by_gradient, target
from minillm.inspection.shown import Result, Words
from minillm.loading import Model

DRAWS, INSIDE = 2000, (2.5, 97.5)


@dataclass(frozen=True)
class Pair:
    """Two prompts of as many tokens, and what is measured after them: a token's logit, less that of
    its rival. Prompts are texts or token ids, tokens texts or an id."""

    clean: str | Sequence[int]
    corrupt: str | Sequence[int]
    target: str | int
    rival: str | int | None = None


@dataclass(frozen=True)
class AveragePatching(Result):
    """`share_LN` of the mean difference between clean and corrupt comes back by patching each
    place; from `low_LN` to `high_LN` in 95% of the draws of pairs.

    `clean` and `corrupt` are the mean scores, `score_PLN`, `clean_P` and `corrupt_P` those of each
    of the `pairs`. `parts`: see Patching.
    """

    site: str
    by: str
    pairs: int
    clean: float
    corrupt: float
    share_LN: np.ndarray
    low_LN: np.ndarray
    high_LN: np.ndarray
    score_PLN: np.ndarray
    clean_P: np.ndarray
    corrupt_P: np.ndarray
    parts: tuple[int, ...]


def read_pairs(text: str, name: str = "the file") -> list[Pair]:
    """The pairs of a file: clean, corrupt, target and rival of a pair a line, with tabs between;
    the rival may be absent. Raises UserError with the line."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) not in (3, 4) or not all(fields):
            raise UserError(f"{name}: line {number} has {len(fields)} fields: write clean, "
                            "corrupt, target and (if there is one) rival, with one tab between")
        found.append(Pair(*fields))
    if not found:
        raise UserError(f"{name}: holds no pair: one a line, with tabs between")
    return found


def patch_pairs(model: Model, pairs: Sequence[Pair], site: str = "z", by: str = "head",
                seed: int = 0, twin: str = "jax", most: int | None = None,
                progress=lambda done, pairs: None) -> AveragePatching:
    """`patch` of every pair, and the mean with its interval.

    `most` limits the work to so many places: those with the largest mean estimate by gradient; the
    others are NaN. Raises UserError: a pair that does not fit (said which), pairs of unequal length
    by position, no difference to bring back.
    """
    model, found, rows = model.on(twin), [], []
    for number, pair in enumerate(pairs, 1):
        try:
            rows += equally_long(model, pair.clean, pair.corrupt)
            wanted = target(model, pair.target, pair.rival)
            if len(rows) != number:
                raise UserError("a pair is of one text each")
        except UserError as error:
            raise UserError(f"pair {number}: {error}") from None
        lengths = {len(row) for row, _ in rows}
        if by != "head" and len(lengths) > 1:
            raise UserError(f"pair {number} has {len(rows[-1][0])} tokens and pair 1 "
                            f"{len(rows[0][0])}: an average by position needs prompts of one "
                            "length; by head does not")
        found.append((rows[-1], wanted))
    done, only_LN = [], None
    if most is not None:
        ranked = [rank_by_gradient(model, *pair, site, by, wanted, twin) for pair, wanted in found]
        size_LN = np.abs(np.sum([each.score_LN - each.corrupt for each in ranked], 0))
        only_LN = size_LN >= np.sort(size_LN, axis=None)[-max(1, min(most, size_LN.size))]
    for number, ((clean, corrupt), wanted) in enumerate(found):
        progress(number, len(found))
        done.append(patch(model, clean, corrupt, site, by, wanted, only_LN, twin=twin))
    score_PLN = np.array([each.score_LN for each in done])
    clean_P, corrupt_P = (np.array([getattr(each, name) for each in done])
                          for name in ("clean", "corrupt"))
    share_LN, low_LN, high_LN = shares(score_PLN - corrupt_P[:, None, None], clean_P - corrupt_P,
                                       seed)
    same = all(np.array_equal(row[1], rows[0][1]) for row in rows)
    words = Words(model.tokenizer, tuple(map(int, rows[0][1])) if same else ())
    return AveragePatching(site, by, len(done), float(clean_P.mean()), float(corrupt_P.mean()),
                           share_LN, low_LN, high_LN, score_PLN, clean_P, corrupt_P, done[0].parts,
                           words=words)


def shares(effect_PX, gap_P, seed: int = 0):
    """(sum of effects / sum of gaps, and its 95% interval by drawing pairs): each (X)."""
    effect_PX, gap_P = (np.asarray(each, np.float64) for each in (effect_PX, gap_P))
    if not gap_P.sum():
        raise UserError("clean and corrupt prompts have the same score on average: there is "
                        "nothing to bring back")
    P = len(gap_P)
    drawn_SP = np.random.default_rng(seed).integers(0, P, (DRAWS, P))
    weight_SP = np.stack([np.bincount(row, minlength=P) for row in drawn_SP]).astype(np.float64)
    total_S = weight_SP @ gap_P
    drawn_SX = np.tensordot(weight_SP, effect_PX, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn_SX = drawn_SX / total_S.reshape(-1, *[1] * (drawn_SX.ndim - 1))
    low, high = (np.percentile(drawn_SX, INSIDE, axis=0) if P > 1
                 else np.full((2, *effect_PX.shape[1:]), np.nan))
    return effect_PX.sum(0) / gap_P.sum(), low, high
