"""Activation patching: put an activation of one run into another and see what it restores.

    found = patch(model, "When Mary and John went out, John gave a drink to",
                  "When Mary and Ann went out, Ann gave a drink to")
    found.recovered_LN           # 0: nothing, 1: all of the difference between the two answers

Meng et al. 2022, arXiv:2202.05262, section 2; Wang et al. 2022, arXiv:2211.00593, section 3. Every
patch restarts from the layer that it changes, with all positions or heads of a layer in one batch.
`rank_by_gradient` estimates all patches from two passes (Nanda 2023, "Attribution patching"; Syed
et al. 2023, arXiv:2310.10348, eq. 2). Use the estimates to rank places, not to draw conclusions.
"""

from dataclasses import dataclass, replace
from functools import wraps
from inspect import signature
from math import prod

import numpy as np

from minillm.errors import UserError, printable
from minillm.inspection.activations import axes_of
from minillm.inspection.dispatch import prompt_rows, prompt_tokens
from minillm.inspection.gradients import gradients
from minillm.inspection.record import run
from minillm.inspection.restart import one_part_each, parts_of, random_like, restart, scores_at
from minillm.inspection.shown import Result, labelled, shown
from minillm.loading import Model

SITES = ("resid_pre", "attn_out", "mlp_out", "q", "k", "v", "pattern", "z")


@dataclass(frozen=True)
class Target:
    """The measured score: logit of `token` - logit of `rival` at `position`."""

    position: int
    token: int
    rival: int | None


@dataclass(frozen=True)
class Patching(Result):
    """The target's score after patching `site`, for every layer and position, head, or both.

    `exact_LN` is false where the score is an estimate by gradient. `clean` and `corrupt` are the
    scores of the two runs. `parts` are the lengths of what N counts: (T,), (K, G) or (K, G, T);
    k and v have no G.
    """

    site: str
    by: str
    target: Target
    clean: float
    corrupt: float
    score_LN: np.ndarray
    exact_LN: np.ndarray
    parts: tuple[int, ...]

    @property
    def recovered_LN(self) -> np.ndarray:
        """(score - corrupt) / (clean - corrupt): 0 for the corrupt run, 1 for the clean one."""
        return (self.score_LN - self.corrupt) / (self.clean - self.corrupt)

    @property
    def recovered_LHT(self) -> np.ndarray:
        """The same by layer, head and position, where it was patched by "head and position"."""
        return self.recovered_LN.reshape(len(self.score_LN), -1, self.parts[-1])


def each_pair(function):
    """Let a function of two prompts take batches: several pairs give a list, what each would give
    alone. `target` may then be a list, one for each pair."""
    names = [name for name in signature(function).parameters][3:]

    @wraps(function)
    def over(model: Model, clean, corrupt, *arguments, **options):
        pairs, options = equally_long(model, clean, corrupt), dict(zip(names, arguments)) | options
        targets = options.pop("target", None)
        several = isinstance(targets, (list, tuple)) and not isinstance(targets, Target)
        if several and len(targets) != len(pairs):
            raise UserError(f"there are {len(targets)} targets for {len(pairs)} pairs of prompts")
        found = [function(model, *(row[None] for row in pair), **options,
                          target=targets[i] if several else targets)
                 for i, pair in enumerate(pairs)]
        found = [labelled(one, model.tokenizer, pair[1]) for one, pair in zip(found, pairs)]
        return found[0] if len(found) == 1 else found

    return over


def equally_long(model: Model, clean, corrupt) -> list[tuple[np.ndarray, np.ndarray]]:
    """The pairs of token ids (T,) of two prompts. Raises UserError that shows where two texts part ways."""
    rows = [prompt_rows(model, prompt) for prompt in (clean, corrupt)]
    if len(rows[0]) != len(rows[1]):
        raise UserError(
            f"there are {len(rows[0])} clean and {len(rows[1])} corrupt prompts: each needs its partner"
        )
    for one, other in zip(*rows):
        if len(one) != len(other):
            cut = [" | ".join(
                       printable("".join(text for text, _ in shown(model.tokenizer, int(token))),
                                 20, quoted=False) for token in row) for row in (one, other)]
            raise UserError(
                f"the two prompts have {len(one)} and {len(other)} tokens: patching puts an activation into the same "
                f"place of the other run, so they must be equally long: [{cut[0]}] and [{cut[1]}]"
            )
    return list(zip(*rows))


def target(model: Model, token, rival=None, position: int = -1) -> Target:
    """What to measure: the logit of `token`, less that of `rival`; each an id, or a text of one token. Raises UserError."""
    return Target(position, one_token(model, token),
                  None if rival is None else one_token(model, rival))


def one_token(model: Model, token) -> int:
    """The id of a token that is given as an id or as its text. Raises UserError."""
    if not isinstance(token, str):
        return int(token)
    if model.tokenizer is None:
        raise UserError(
            f"{model.source}: there is no tokenizer.json, so {token!r} cannot become a token: give its id"
        )
    ids = model.tokenizer.encode(token)
    if len(ids) != 1:
        pieces = " | ".join("".join(text for text, _ in shown(model.tokenizer, i)) for i in ids)
        one = [text for text in (f" {token.strip()}", token.strip())
               if len(model.tokenizer.encode(text)) == 1]
        way = f", such as {one[0]!r}" if one else ", or its id"
        raise UserError(f"{token!r} is {len(ids)} tokens ({pieces}): give a text of one{way}")
    return ids[0]


def two_runs(model: Model, clean, corrupt, site: str, by: str, target: Target | None, twin: str):
    """(Target, clean record, corrupt record, their scores). Raises UserError if lengths differ."""
    tokens = [prompt_tokens(model, prompt) for prompt in (clean, corrupt)]
    if site not in SITES:
        raise UserError(f"site {site!r} cannot be patched: choose {', '.join(SITES)}")
    parts_of(site, by, model.config, 1)
    names = ["*.resid_pre"] + ([] if site == "resid_pre" else [f"*.{site}"])
    (logits, seen), (other_logits, other) = (run(model, each, names, (), twin) for each in tokens)
    target = target or default_target(logits[0, -1], other_logits[0, -1], logits.shape[1] - 1)
    target = replace(target, position=target.position % logits.shape[1])
    return (
        target,
        seen,
        other,
        [score(each[0, target.position], target) for each in (logits, other_logits)],
    )


def score(logits_V, target: Target) -> float:
    """The target's score of one position's logits."""
    return float(logits_V[target.token] - (0 if target.rival is None else logits_V[target.rival]))


def default_target(clean_V, corrupt_V, position: int) -> Target:
    """The clean run's answer against the corrupt run's, or its second choice if they are equal."""
    best, rival = int(np.argmax(clean_V)), int(np.argmax(corrupt_V))
    return Target(position, best,
                  rival if rival != best else int(np.argsort(-clean_V, stable=True)[1]))


@each_pair
def patch(model: Model, clean, corrupt, site: str = "resid_pre", by: str = "position",
          target: Target | None = None, only_LN=None, control_seed: int | None = None,
          twin: str = "jax") -> Patching:
    """Patch `site` of the clean run into the corrupt run, for each layer and position.

    `by` may also be "head", or "head and position", for the sites that have heads: q, k, v,
    pattern and z. `only_LN` limits the work to some places; elsewhere the score is NaN.
    `control_seed` gives the control: the patch is the corrupt run's own activation plus a random
    vector, as long as the difference from the clean one.
    """
    model = model.on(twin)
    target, seen, other, (clean_score, corrupt_score) = two_runs(model, clean, corrupt, site, by,
                                                                 target, twin)
    L, T = model.config.num_hidden_layers, other["layers.0.resid_pre"].shape[1]
    parts = parts_of(site, by, model.config, T)
    rng = np.random.default_rng(control_seed)
    score_LN = np.full((L, prod(parts.values())), np.nan)
    for i in range(L):
        name = f"layers.{i}.{site}"
        rows = np.arange(score_LN.shape[1]) if only_LN is None else np.flatnonzero(only_LN[i])
        value = (seen[name] if control_seed is None
                 else other[name] + random_like(seen[name] - other[name], rng))
        if len(rows):
            masks = one_part_each(site, by, model.config, T, rows)
            x_RTD = restart(model, other[f"layers.{i}.resid_pre"], i, site, "replace", masks, value,
                            twin, some=only_LN is not None)
            score_LN[i, rows] = scores_at(model, x_RTD, target.position, target.token, target.rival,
                                          twin)
    return Patching(site, by, target, clean_score, corrupt_score, score_LN, np.isfinite(score_LN),
                    tuple(parts.values()))


@each_pair
def rank_by_gradient(model: Model, clean, corrupt, site: str = "resid_pre", by: str = "position",
                     target: Target | None = None, twin: str = "jax") -> Patching:
    """Estimate `patch` by (d score / d activation of the corrupt run) times (clean - corrupt)."""
    model = model.on(twin)
    target, seen, other, (clean_score, corrupt_score) = two_runs(model, clean, corrupt, site, by,
                                                                 target, twin)
    names = tuple(f"layers.{i}.{site}" for i in range(model.config.num_hidden_layers))
    gradient = gradients(model, prompt_tokens(model, corrupt), target, names, twin)
    parts = parts_of(site, by, model.config, other[names[0]].shape[axes_of(names[0]).index("T")])
    inside = tuple(axis for axis, letter in enumerate(axes_of(names[0])) if letter not in parts)
    estimate_LN = np.array([np.sum(gradient[name] * (seen[name] - other[name]), inside).reshape(-1)
                            for name in names])
    return Patching(site, by, target, clean_score, corrupt_score, corrupt_score + estimate_LN,
                    np.zeros(estimate_LN.shape, bool), tuple(parts.values()))


@each_pair
def patch_best(model: Model, clean, corrupt, site: str, by: str, target: Target | None, most: int,
               twin: str = "jax") -> Patching:
    """Rank all places by gradient and patch the best `most` exactly; the others stay estimates."""
    ranked = rank_by_gradient(model, clean, corrupt, site, by, target, twin)
    size_LN = np.abs(ranked.score_LN - ranked.corrupt)
    only_LN = size_LN >= np.sort(size_LN, axis=None)[-min(most, size_LN.size)]
    found = patch(model, clean, corrupt, site, by, ranked.target, only_LN, twin=twin)
    return replace(found, score_LN=np.where(only_LN, found.score_LN, ranked.score_LN),
                   exact_LN=only_LN)
