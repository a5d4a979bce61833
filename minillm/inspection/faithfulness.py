"""Identities that must hold for any model, each measured on the prompt at hand.

Every difference is the largest one, relative to the largest number compared. Tolerances allow for
rounding in the dtype: 1e-4 in float32, 1e-9 in float64; what must be equal bit for bit has
tolerance 0. The exception is edits of a quantized model in JAX, which may differ by rounding: XLA
fuses integer products with their surroundings, so an edit changes the order of a sum.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minillm.architecture.tree import flatten
from minillm.inspection.attribution import attribute_logits, parts_of_stream
from minillm.inspection.dispatch import forward, prompt_tokens, widened
from minillm.inspection.edit import swap
from minillm.inspection.heads import patterns
from minillm.inspection.patching import patch
from minillm.inspection.record import record, run, through_head
from minillm.inspection.restart import restart
from minillm.loading import Model

WIDE_BYTES = 2 * 2**30   # no larger float64 copy of the parameters is made
TOLERANCES = {"float32": 1e-4, "float64": 1e-9}


@dataclass(frozen=True)
class Check:
    """One identity: the largest difference and its tolerance, or why it was `skipped`."""

    name: str
    meaning: str
    difference: float | None
    tolerance: float
    skipped: str = ""

    @property
    def verdict(self) -> str:
        """One of "holds", "fails" and "not checked". A difference of NaN fails."""
        return "not checked" if self.skipped else "holds" if self.difference <= self.tolerance else "fails"


class NotHere(Exception):
    """Raised if an identity cannot be measured here; the message says why."""


def difference(ours, theirs) -> float:
    """The largest difference relative to the largest number of `theirs`; infinities must match."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    finite = np.isfinite(theirs)
    if not np.array_equal(ours[~finite], theirs[~finite]):
        return float("nan")
    largest = np.max(np.abs(theirs[finite]), initial=0)
    return float(np.max(np.abs(ours[finite] - theirs[finite]), initial=0) / max(largest, 1e-30))


def check_all(model: Model, prompt, corrupt=None, seen: dict | None = None, twin: str = "jax") -> list[Check]:
    """Check all identities on a prompt; `corrupt` is a prompt of equal length, for patching."""
    tokens_BT = prompt_tokens(model, prompt)
    seen = seen or record(model, tokens_BT, twin=twin)
    kind = seen["logits"].dtype.name
    tolerance = TOLERANCES.get(kind, 1e-2)
    fused = twin == "jax" and hasattr(model.params["layers"][0]["o_proj"], "scheme")
    no_change, how_much = (tolerance, "no more than rounding") if fused else (0.0, "not a bit")
    last = f"layers.{model.config.num_hidden_layers - 1}.resid_post"
    other = prompt_tokens(model, corrupt) if corrupt is not None else shuffled(tokens_BT)
    jobs: list[tuple[str, str, float, Callable[[], float]]] = [
        ("NumPy = JAX", "every activation, computed by both implementations", tolerance,
         lambda: twins(model, tokens_BT, seen, twin)),
        (f"{kind} = float64", "the logits, computed again with twice the digits", tolerance,
         lambda: wider(model, tokens_BT, seen)),
        ("attention adds up", "every row of every pattern sums to 1, and no token looks ahead", tolerance,
         lambda: rows(model, seen)),
        ("the stream adds up", "embedding + heads + biases + MLPs = the last residual stream", tolerance,
         lambda: difference(parts_of_stream(model, seen), seen[last][0])),
        ("attribution adds up", "the parts of every next token's logit sum to the logit", tolerance,
         lambda: attributions(model, tokens_BT, seen)),
        ("the lens ends at the answer", "the lens after the last layer gives the model's own logits", tolerance,
         lambda: difference(through_head(twin, model.params, seen[last][0], model.config), seen["logits"][0])),
        ("restarting = running", "from the middle of the model on, the logits are those of the whole run", tolerance,
         lambda: restarted(model, seen, twin)),
        ("patching everything = the clean run", "all of a layer's clean activations, put into the other run, give the clean logits",
         tolerance, lambda: patch_everything(model, tokens_BT, other, seen, twin)),
        ("the patching map = patching by hand", "one place of the map, against a whole run with that one edit", tolerance,
         lambda: one_place(model, tokens_BT, other, twin)),
        ("ablating nothing changes nothing", f"what heads and MLPs add, replaced by its own recorded value: {how_much} changes", no_change,
         lambda: nothing(model, tokens_BT, seen, twin)),
        ("recording changes nothing", "with every activation recorded or none: not a bit of the logits changes", 0.0,
         lambda: bits(run(model, tokens_BT, (), (), twin)[0], seen["logits"])),
    ]
    return [measured(*job) for job in jobs]


def measured(name: str, meaning: str, tolerance: float, job) -> Check:
    """The check, or the reason why it was skipped."""
    try:
        return Check(name, meaning, job(), tolerance)
    except NotHere as why:
        return Check(name, meaning, None, tolerance, str(why))


def shuffled(tokens_BT) -> np.ndarray:
    """The same tokens in another order: the partner for patching if none was given."""
    return np.roll(tokens_BT, 1, axis=1)


def bits(ours, theirs) -> float:
    """0 if two arrays are equal bit for bit, otherwise their largest difference (never 0)."""
    return 0.0 if np.array_equal(ours, theirs, equal_nan=True) else max(difference(ours, theirs), 1e-30)


def twins(model, tokens_BT, seen, twin) -> float:
    """Compare all activations with the other twin's."""
    other = {"jax": "numpy", "numpy": "jax"}[twin]
    if model.params["norm"].dtype == np.float64:
        raise NotHere("in float64 the twins are compared by the tests")
    try:
        model.check_twin(other)
        theirs = record(model, tokens_BT, twin=other)
    except (ImportError, ValueError) as error:
        raise NotHere(f"the {other} twin cannot run here: {error}") from None
    return max(difference(seen[name], theirs[name]) for name in seen)


def wider(model, tokens_BT, seen) -> float:
    """Compare the logits with NumPy's in float64."""
    count = sum(leaf.size for leaf in flatten(model.params).values())
    if 8 * count > WIDE_BYTES:
        raise NotHere(f"a float64 copy of {count:,} parameters would take {8 * count / 2**30:.1f} GiB")
    if getattr(getattr(model.params["embed_tokens"], "scheme", None), "activations", False):
        raise NotHere("this model rounds its activations to integers, which a wider copy would not")
    logits_BTV, _ = forward("numpy", model.config)(widened(model.params), tokens_BT, model.config)
    return difference(seen["logits"], logits_BTV)


def rows(model, seen) -> float:
    """How far the sum of a row is from 1, or how much attention goes to later tokens."""
    pattern_LHTS = patterns(seen, model.config)
    ahead = float(np.max(np.triu(pattern_LHTS, 1)))
    return max(float(np.max(np.abs(pattern_LHTS.sum(-1) - 1))), ahead)


def attributions(model, tokens_BT, seen) -> float:
    """Compare the sum of the parts with the logit."""
    found = attribute_logits(model, tokens_BT, seen=seen)
    return difference(found.total_T, found.logit_T)


def restarted(model, seen, twin) -> float:
    """Compare a restart from the middle layer with the whole run: the last residual stream."""
    L = model.config.num_hidden_layers
    x_BTD = seen[f"layers.{L // 2}.resid_pre"]
    none = np.zeros((1, 1, 1), bool)
    again_BTD = restart(model, x_BTD, L // 2, "resid_pre", "replace", none, np.zeros_like(x_BTD), twin)
    return difference(again_BTD, seen[f"layers.{L - 1}.resid_post"])


def patch_everything(model, tokens_BT, other_BT, seen, twin) -> float:
    """Logits of the corrupt run with the whole clean resid_pre, for the first and last layer."""
    worst = 0.0
    for i in {0, model.config.num_hidden_layers - 1}:
        logits_BTV, _ = run(model, other_BT, (), [swap(f"layers.{i}.resid_pre", seen)], twin)
        worst = max(worst, difference(logits_BTV, seen["logits"]))
    return worst


def one_place(model, tokens_BT, other_BT, twin) -> float:
    """Compare the sweep's score at the middle layer's last position with a whole run."""
    L, T = model.config.num_hidden_layers, tokens_BT.shape[1]
    only_LN = np.zeros((L, T), bool)
    only_LN[L // 2, -1] = True
    found = patch(model, tokens_BT, other_BT, only_LN=only_LN, twin=twin)
    clean = record(model, tokens_BT, [f"layers.{L // 2}.resid_pre"], twin=twin)
    edit = swap(f"layers.{L // 2}.resid_pre", clean, positions=[-1])
    logits_V = run(model, other_BT, (), [edit], twin)[0][0, found.target.position]
    by_hand = logits_V[found.target.token] - logits_V[found.target.rival]
    return float(abs(found.score_LN[L // 2, -1] - by_hand) / max(np.max(np.abs(logits_V)), 1e-30))


def nothing(model, tokens_BT, seen, twin) -> float:
    """Compare the logits with those of two runs whose activations are replaced by themselves.

    A replaced residual stream would hide all earlier edits, so only what is added to the stream is
    replaced.
    """
    edits = [[swap(glob, seen) for glob in globs] for globs in (("*.pattern", "*.mlp_post"), ("*.z", "*.mlp_out"))]
    return max(bits(run(model, tokens_BT, (), each, twin)[0], seen["logits"]) for each in edits)


def not_finite(seen: dict) -> str:
    """The first activation that contains NaN or infinity, in words; "" if all are finite."""
    for name, x in seen.items():
        bad = np.isnan(x) if name.endswith("scores") else ~np.isfinite(x)       # scores of later tokens are -inf
        if bad.any():
            what = "NaN" if np.isnan(x[bad]).all() else "infinite" if not np.isnan(x[bad]).any() else "NaN or infinite"
            return f"{bad.sum():,} of {x.size:,} numbers of {name} are {what}, and so is what follows from them"
    return ""
