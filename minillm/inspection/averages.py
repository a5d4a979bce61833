"""Ablation averaged over many prompts, with intervals: does a part matter, or in this text only?

    found = ablate_prompts(model, texts)            # heads; part="mlps": MLPs
    found.kl_LN, found.low_LN, found.high_LN        # nats, and 95% by drawing prompts again

Every prompt counts alike, whatever its length: its effect is the mean over its positions.
Intervals: see pairs.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from minillm.errors import UserError, require
from minillm.inspection.ablation import ablate_heads, ablate_mlps
from minillm.inspection.dispatch import prompt_rows
from minillm.inspection.pairs import shares
from minillm.inspection.shown import Result
from minillm.loading import Model


@dataclass(frozen=True)
class AverageAblation(Result):
    """Mean effects over the prompts of N parts of each layer, in nats: KL(whole || without it) with
    its 95% interval, and how much more surprising the text is. The control: see Ablation.

    `kl_PLN` and `surprise_PLN` are those of each of the `prompts`.
    """

    prompts: int
    kl_LN: np.ndarray
    low_LN: np.ndarray
    high_LN: np.ndarray
    surprise_LN: np.ndarray
    control_kl_LN: np.ndarray
    control_surprise_LN: np.ndarray
    kl_PLN: np.ndarray
    surprise_PLN: np.ndarray
    instead: str


def ablate_prompts(model: Model, prompts, part: str = "heads", seed: int = 0, twin: str = "jax",
                   instead: Mapping | None = None,
                   progress=lambda done, prompts: None) -> AverageAblation:
    """`ablate_heads` (or, with part="mlps", `ablate_mlps`) of every prompt, and the mean with its
    interval. Raises UserError: a prompt of one token, which nothing follows."""
    require(part in ("heads", "mlps"), "part", part, "heads or mlps")
    rows, model, done = prompt_rows(model, prompts), model.on(twin), []
    for number, row in enumerate(rows, 1):
        if len(row) < 2:
            raise UserError(f"prompt {number} has one token, and nothing follows it: give more")
    ablate = ablate_heads if part == "heads" else ablate_mlps
    for number, row in enumerate(rows):
        progress(number, len(rows))
        done.append(ablate(model, row[None], seed + number, twin=twin, instead=instead))
    kl, surprise, control_kl, control_surprise = (
        np.array([getattr(each, f"{name}_LNT")[..., :-1 if "surprise" in name else None].mean(-1)
                  for each in done])
        for name in ("kl", "surprise", "control_kl", "control_surprise"))
    kl_LN, low_LN, high_LN = shares(kl, np.ones(len(rows)), seed)
    return AverageAblation(len(rows), kl_LN, low_LN, high_LN, surprise.mean(0), control_kl.mean(0),
                           control_surprise.mean(0), kl, surprise, done[0].instead)
