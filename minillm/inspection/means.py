"""Mean activations over texts: what a part does on average, to be put in its place.

    mean = means(model, ["Once there was", "There were two", "A fox found"], "*.z")
    ablate_heads(model, "Once upon a time", instead=mean)          # mean ablation
    logits_of(model, "Once upon a time", [swap("layers.2.z", mean, heads=[3])])

A zero is far from anything that later layers ever read, so taking a part out by zeros also breaks
what expects its mean. With the mean in its place, only what the part says about this text is gone.
Wang et al. 2022, arXiv:2211.00593, section 3 (mean ablation over a given set of prompts).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from minillm.errors import UserError
from minillm.inspection.activations import axes_of, matching
from minillm.inspection.dispatch import prompt_rows
from minillm.inspection.record import run
from minillm.loading import Model

ROWS = 8  # texts that run together


@dataclass(frozen=True, eq=False)
class Means(Mapping):
    """{name: mean activation} with length 1 for the texts, and for the positions unless they were
    kept apart; `about` says over what."""

    arrays: dict[str, np.ndarray] = field(repr=False)                # a notebook shows the rest
    texts: int
    tokens: int
    about: str

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)


def means(model: Model, prompts, names: str | Sequence[str] = ("*.z", "*.mlp_out"),
          by_position: bool = False, skip: int = 0, twin: str = "jax") -> Means:
    """The mean over every token of the texts, in float64; or over the texts, position by position.

    `skip` leaves out the first tokens of each text, such as a beginning-of-text token, whose
    activations are often unlike all others. Raises UserError for activations between positions
    (scores, pattern), for texts with no token left, and by position for unequal lengths.
    """
    skip = 0 if by_position else skip
    names, rows = matching(names, model.config), prompt_rows(model, prompts)
    for name in names:
        if "S" in axes_of(name):
            raise UserError(f"{name} is between positions, so it has no mean over them: average "
                            "z, q, k, v or what is added to the stream")
    lengths = sorted({len(row) for row in rows})
    if by_position and len(lengths) > 1:
        raise UserError(f"the texts have {lengths[0]} to {lengths[-1]} tokens: a mean for each "
                        "position needs texts of one length")
    if lengths[0] <= skip:
        raise UserError(f"a text has {lengths[0]} tokens, of which {skip} are to be left out: "
                        "none is left")
    model, totals = model.on(twin), {}
    for begin in range(0, len(rows), ROWS):
        some = rows[begin : begin + ROWS]
        for name, x in run(model, some, names, (), twin)[1].items():
            axis = axes_of(name).index("T")
            x = np.moveaxis(x.astype(np.float64), axis, 1)
            parts = [row[skip : len(text)] for row, text in zip(x, some)]
            parts = parts if by_position else [part.sum(0, keepdims=True) for part in parts]
            totals[name] = totals.get(name, 0) + np.moveaxis(sum(parts)[None], 1, axis)
    tokens = sum(len(row) - skip for row in rows)
    count = len(rows) if by_position else tokens
    kind = model.params["norm"].dtype
    about = f"the mean over {len(rows):,} text{'s' * (len(rows) > 1)}, " + (
        "position by position" if by_position else f"{tokens:,} tokens")
    return Means({name: (total / count).astype(kind) for name, total in totals.items()}, len(rows),
                 tokens, about)
