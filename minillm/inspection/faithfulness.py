"""Identities that must hold for any model, each measured on the prompt at hand.

Every difference is the largest one, relative to the largest number compared. Like is compared with like: both twins, and a
block that is recorded, edited or left alone, are given the same input, layer by layer, so that no difference is the echo of
an earlier one. The tolerances allow for rounding, and for nothing else:

- 1e-4 in float32 and 1e-9 in float64 where the same numbers are added in another order (about 1e-7 and 1e-16 a step);
- no bit in NumPy, where recording or replacing an activation by itself runs the same program. In JAX it is another
  program, whose sums XLA may fuse and order otherwise: a tenth of the above;
- where activations are rounded to integers, a number that lies between two of them may go either way, and the layers after
  it enlarge that: STEP within a block, WANDER in whole runs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from minillm.architecture.tree import tree_map
from minillm.inspection.activations import tap_names
from minillm.inspection.attribution import attribute_logits, parts_of_stream
from minillm.inspection.dispatch import head_matrix, in_numpy, matrix, norm, one_text, widened
from minillm.inspection.edit import padded, prepared, swap
from minillm.inspection.patching import patch
from minillm.inspection.record import before_layers, ended, record, run, through_block, through_head
from minillm.inspection.restart import restart
from minillm.inspection.shown import html
from minillm.loading import Model
from minillm.text.lengths import room_for

TOLERANCES = {"float32": 1e-4, "float64": 1e-9}
PIECE = 2**22  # numbers that are compared at once
STEP, WANDER = 0.05, 0.2  # with int8 activations
NEEDED = (
    "embed*",
    "*.resid_pre",
    "*.z",
    "*.attn_out",
    "*.mlp_out",
    "*.mlp_post",
    "*.resid_post",
    "final_norm",
    "logits",
)


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
        return ("not checked" if self.skipped else "holds" if self.difference <= self.tolerance
                else "fails")


class Checks(list):
    """Several checks; a notebook shows them as a table."""

    def _repr_html_(self) -> str:
        return html(self)


class NotHere(Exception):
    """Raised if an identity cannot be measured here; the message says why."""


def difference(ours, theirs) -> float:
    """The largest difference relative to the largest number of `theirs`; infinities must match."""
    ours, theirs = np.asarray(ours).reshape(-1), np.asarray(theirs).reshape(-1)
    if ours.shape != theirs.shape:
        return float("nan")
    worst = largest = 0.0
    for at in range(0, len(theirs), PIECE):  # in pieces: the logits of a long prompt are many
        mine, other = (x[at : at + PIECE].astype(np.float64) for x in (ours, theirs))
        finite = np.isfinite(other)
        if not np.array_equal(mine[~finite], other[~finite]):
            return float("nan")
        largest = max(largest, float(np.max(np.abs(other), initial=0, where=finite)))
        worst = np.maximum(worst, np.max(np.abs(mine[finite] - other[finite]), initial=0))
    return float(worst) / max(largest, 1e-30)


def check_all(model: Model, prompt, corrupt=None, seen: dict | None = None, twin: str = "jax",
              look=lambda i, layer: None, say=lambda line: None) -> Checks:
    """Check all identities on a prompt; `corrupt` is a prompt of equal length, for patching.

    `seen` is a record of at least NEEDED. `look(i, layer)` is shown the whole record of each layer, which is not kept.
    """
    tokens_BT = one_text(model, prompt, "a check")
    seen = seen or record(model, tokens_BT, NEEDED, twin=twin)
    kind = seen["logits"].dtype.name
    tolerance = TOLERANCES.get(kind, 1e-2)
    rounds = any(getattr(getattr(leaf, "scheme", None), "activations", False)
                 for leaf in model.params["layers"][0].values())
    block, whole = (STEP, WANDER) if rounds else (tolerance, tolerance)
    no_change, how_much = ((block if rounds else tolerance / 10, "no more than rounding")
                           if twin == "jax" else (0.0, "not a bit"))
    L = model.config.num_hidden_layers
    last = f"layers.{L - 1}.resid_post"
    other = one_text(model, corrupt, "a check") if corrupt is not None else shuffled(tokens_BT)
    worst = by_layer(model, tokens_BT, seen, twin, look, say)
    jobs: list[tuple[str, str, float, Callable[[], float]]] = [
        (
            "NumPy = JAX",
            "every activation, computed by both implementations from the same input of its layer",
            block,
            lambda: worst["twins"],
        ),
        (
            f"{kind} = float64",
            "the logits, computed again with twice the digits",
            tolerance,
            lambda: wider(model, tokens_BT, seen),
        ),
        (
            "attention adds up",
            "every row of every pattern sums to 1, and no token looks ahead",
            tolerance,
            lambda: worst["rows"],
        ),
        (
            "the stream adds up",
            "embedding + heads + biases + MLPs = the last residual stream",
            tolerance,
            lambda: difference(parts_of_stream(model, seen), seen[last][0]),
        ),
        (
            "attribution adds up",
            "the parts of every next token's logit sum to the logit",
            tolerance,
            lambda: attributions(model, tokens_BT, seen),
        ),
        (
            "the lens ends at the answer",
            "the lens after the last layer gives the model's own logits",
            block,
            lambda: difference(
                through_head(twin, model.params, seen[last][0], model.config), seen["logits"][0]
            ),
        ),
        (
            "restarting = running",
            "from the middle of the model on, the logits are those of the whole run",
            whole,
            lambda: restarted(model, seen, twin),
        ),
        (
            "patching everything = the clean run",
            "all of a layer's clean activations, put into the other run, give the clean logits",
            whole,
            lambda: patch_everything(model, other, seen, twin),
        ),
        (
            "the patching map = patching by hand",
            "one place of the map, against a whole run with that one edit",
            whole,
            lambda: one_place(model, tokens_BT, other, twin),
        ),
        (
            "ablating nothing changes nothing",
            f"what heads and MLPs add, replaced by its own recorded value: {how_much} changes",
            no_change,
            lambda: worst["nothing"],
        ),
        (
            "recording changes nothing",
            f"with every activation of a layer recorded or none: {how_much} changes",
            no_change,
            lambda: worst["recording"],
        ),
    ]
    found = Checks()
    for name, *rest in jobs:
        say(f"checking: {name}")
        found.append(measured(name, *rest))
    return found


def measured(name: str, meaning: str, tolerance: float, job) -> Check:
    """The check, or the reason why it was skipped."""
    try:
        found = job()
        if isinstance(found, NotHere):
            raise found
        return Check(name, meaning, found, tolerance)
    except NotHere as why:
        return Check(name, meaning, None, tolerance, str(why))


def shuffled(tokens_BT) -> np.ndarray:
    """The same tokens in another order: the partner for patching if none was given."""
    return np.roll(tokens_BT, 1, axis=1)


def bits(ours, theirs) -> float:
    """0 if two arrays are equal bit for bit, otherwise their largest difference (never 0)."""
    return (0.0 if np.array_equal(ours, theirs, equal_nan=True)
            else max(difference(ours, theirs), 1e-30))


def by_layer(model, tokens_BT, seen, twin, look, say) -> dict:
    """The largest differences of what is compared layer by layer, each layer from its recorded input.

    twins: this twin's activations and the other's; recording: a block with all of it recorded, with none, and as `seen` has
    it; nothing: a block with activations replaced by their own values; rows: of patterns, see `rows`.
    """
    config, other = model.config, {"jax": "numpy", "numpy": "jax"}[twin]
    on, reason = model.on(twin), ""
    try:
        model.check_twin(other)
        there = model.on(other)
        if other == "numpy":
            there = replace(there, params=tree_map(in_numpy, there.params))
    except (ImportError, ValueError) as error:
        there, reason = None, f"the {other} twin cannot run here: {error}"
    if model.params["norm"].dtype == np.float64:
        there, reason = None, "in float64 the twins are compared by the tests"
    worst = {"twins": 0.0, "rows": 0.0, "nothing": 0.0, "recording": 0.0}

    def note(what: str, *differences: float):
        worst[what] = max([worst[what], *differences], key=lambda x: np.inf if np.isnan(x) else x)

    same = bits if twin == "numpy" else difference
    inside = [name.removeprefix("layers.0.") for name in tap_names(config)
              if name.startswith("layers.0.")]
    _, first = before_layers(twin, on.params, tokens_BT, config)
    note("recording", *(same(first[name], seen[name]) for name in first if name in seen))
    if there:
        _, theirs = before_layers(other, there.params, tokens_BT, config)
        note("twins", *(difference(first[name], theirs[name]) for name in first))
    for i, layer in enumerate(on.params["layers"]):
        say(f"checking layer {i + 1} of {config.num_hidden_layers}")
        x_BTD = seen[f"layers.{i}.resid_pre"]
        after = seen[f"layers.{i + 1}.resid_pre" if i + 1 < config.num_hidden_layers
                     else f"layers.{i}.resid_post"]
        recorded = whole_block(twin, layer, x_BTD, config, inside)
        mine = recorded | {name: seen[f"layers.{i}.{name}"] for name in inside
                           if f"layers.{i}.{name}" in seen}
        look(i, mine)
        plain = whole_block(twin, layer, x_BTD, config, ["resid_post"])["resid_post"]
        note("recording", same(recorded["resid_post"], plain), same(plain, after),
             *(same(recorded[name], mine[name]) for name in inside))
        for taps in (("pattern", "mlp_post"), ("z", "mlp_out")):
            again = whole_block(
                twin, layer, x_BTD, config, ["resid_post"],
                [swap(f"layers.0.{tap}", {f"layers.0.{tap}": mine[tap]}) for tap in taps])
            note("nothing", same(again["resid_post"], after))
        if there:
            theirs = whole_block(other, there.params["layers"][i], x_BTD, config, inside)
            note("twins", *(difference(mine[name], theirs[name]) for name in inside))
        note("rows", rows(mine["pattern"]))
    if there:
        x_BTD = seen[f"layers.{config.num_hidden_layers - 1}.resid_post"]
        note("twins", difference(seen["logits"], through_head(other, there.params, x_BTD, config)))
    if "final_norm" in seen:
        note("recording",
             same(norm(twin, on.params, seen[f"layers.{config.num_hidden_layers - 1}.resid_post"],
                       config), seen["final_norm"]))
    note("recording", same(through_head(twin, on.params,
                                        seen[f"layers.{config.num_hidden_layers - 1}.resid_post"],
                                        config), seen["logits"]))
    return worst | ({} if there else {"twins": NotHere(reason)})


def whole_block(twin: str, layer, x_BTD, config, names, edits=()) -> dict:
    """The record of one block on a residual stream, after edits of "layers.0": padded in JAX, as a whole run is."""
    B, T, _ = x_BTD.shape
    room = room_for(T, config, twin)
    plan, values = prepared(edits, config, [T] * B, room, x_BTD.dtype)
    plan = tuple((name.removeprefix("layers.0."), kind) for name, kind in plan)
    _, seen = through_block(twin, layer, padded(x_BTD, "layers.0.resid_pre", T, room), config, plan,
                            values, tuple(names))
    return {name: ended(seen[name], f"layers.0.{name}", [T] * B) for name in names}


def wider(model, tokens_BT, seen) -> float:
    """Compare the logits with NumPy's in float64, of which one layer is in memory at a time."""
    params, config = model.params, model.config
    if getattr(getattr(params["embed_tokens"], "scheme", None), "activations", False):
        raise NotHere("this model rounds its activations to integers, which a wider copy would not")
    ids, place_BT = np.unique(
        tokens_BT, return_inverse=True
    )  # no more rows of the embedding than are used
    rows = matrix(params["embed_tokens"])[ids]
    outside = {name: leaf for name, leaf in params.items()
               if name not in ("layers", "lm_head", "embed_tokens")}
    outside = widened(outside | {"embed_tokens": rows})
    x_BTD, _ = before_layers("numpy", outside, place_BT.reshape(tokens_BT.shape), config)
    for layer in params["layers"]:
        x_BTD, _ = through_block("numpy", widened(layer), x_BTD, config)
    read_BTD, head_DV = norm("numpy", outside, x_BTD, config), head_matrix(model)
    return max(difference_of(seen["logits"][..., at : at + 8192],
                             read_BTD @ head_DV[:, at : at + 8192].astype(np.float64))
               for at in range(0, config.vocab_size, 8192)) / max(
        float(np.max(np.abs(seen["logits"]))), 1e-30)


def difference_of(ours, theirs) -> float:
    """The largest difference, not relative; NaN where there is one."""
    return float(np.max(np.abs(ours - theirs)))


def rows(pattern_BKGTS) -> float:
    """How far the sum of a row is from 1, or how much attention goes to later tokens."""
    ahead = float(np.max(np.triu(pattern_BKGTS, 1)))
    return max(float(np.max(np.abs(pattern_BKGTS.sum(-1) - 1))), ahead)


def attributions(model, tokens_BT, seen) -> float:
    """Compare the sum of the parts with the logit."""
    found = attribute_logits(model, tokens_BT, seen=seen)
    return difference(found.total_T, found.logit_T)


def restarted(model, seen, twin) -> float:
    """Compare a restart from the middle layer with the whole run: the last residual stream."""
    L = model.config.num_hidden_layers
    x_BTD = seen[f"layers.{L // 2}.resid_pre"]
    none = np.zeros((1, 1, 1), bool)
    again_BTD = restart(model, x_BTD, L // 2, "resid_pre", "replace", none, np.zeros_like(x_BTD),
                        twin)
    return difference(again_BTD, seen[f"layers.{L - 1}.resid_post"])


def patch_everything(model, other_BT, seen, twin) -> float:
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


def not_finite(seen: dict) -> str:
    """The first activation that contains NaN or infinity, in words; "" if all are finite."""
    for name, x in seen.items():
        bad = (
            np.isnan(x) if name.endswith("scores") else ~np.isfinite(x)
        )  # scores of later tokens are -inf
        if bad.any():
            what = ("NaN" if np.isnan(x[bad]).all() else "infinite" if not np.isnan(x[bad]).any()
                    else "NaN or infinite")
            return f"{bad.sum():,} of {x.size:,} numbers of {name} are {what}, and so is what follows from them"
    return ""
