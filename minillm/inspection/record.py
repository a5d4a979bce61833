"""Reading activations: all or some, at once or layer by layer, with or without edits.

    seen = record(model, "Once there was", ["layers.3.*", "*.pattern"])

Names and axes: activations.py. In JAX the record is an output of the compiled blocks, so nothing is computed twice, and
texts are padded to one of a few lengths, so that few programs are compiled: no token sees what stands after it.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from minillm.architecture.family import family
from minillm.inspection.activations import axes_of, matching
from minillm.inspection.dispatch import (
    block,
    embed,
    forward,
    norm,
    outer,
    prompt_rows,
    prompt_tokens,
    unembed,
)
from minillm.inspection.edit import Edit, editor, prepared
from minillm.loading import Model
from minillm.text.lengths import padded_length, room_for

ROWS_AT_ONCE = 2**24  # numbers: the logits of as many positions are in memory at once


def record(model: Model, prompt, names: str | Sequence[str] = "*", edits: Sequence[Edit] = (),
           twin: str = "jax") -> dict:
    """{name: array}: the activations that match `names` (globs), after the `edits`, in order.

    `estimate` gives the memory. Texts of unequal length are padded: what stands after a text's end is NaN. Raises
    UserError for a glob or an edit that matches nothing, and for a prompt that the model cannot read.
    """
    return run(model, prompt, matching(names, model.config), edits, twin)[1]


def logits_of(model: Model, prompt, edits: Sequence[Edit] = (), twin: str = "jax") -> np.ndarray:
    """The logits (B, T, V) after the edits; NaN after the end of a text that is shorter than others."""
    return run(model, prompt, (), edits, twin)[0]


def run(model: Model, prompt, names: str | Sequence[str] = (), edits: Sequence[Edit] = (),
        twin: str = "jax"):
    """(logits (B, T, V), record): one forward pass, edited and recorded."""
    model.check_twin(twin)
    rows, config = prompt_rows(model, prompt), model.config
    names, lengths = matching(names, config), [len(row) for row in rows]
    T = max(lengths)
    room = room_for(T, config, twin)
    tokens_BT = np.stack([np.pad(row, (0, room - len(row))) for row in rows])
    plan, values = prepared(edits, config, lengths, room, model.params["norm"].dtype)
    if twin == "jax":
        from minillm.inspection import compiled

        logits_BTV, seen = compiled.run(model.params, tokens_BT, values, config, names, plan)
    else:
        seen = {}
        logits_BTV, _ = forward("numpy", config)(model.params, tokens_BT, config,
                                                 tap=editor(plan, values, names, seen, np.where))
    found = {name: ended(logits_BTV if name == "logits" else seen[name], name, lengths)
             for name in names}
    return (found["logits"] if "logits" in names else ended(logits_BTV, "logits", lengths)), found


def ended(x, name: str, lengths: Sequence[int]) -> np.ndarray:
    """An activation of padded texts: cut after the longest one, NaN after the end of each."""
    x, T = np.asarray(x), max(lengths)
    at = [axis for axis, letter in enumerate(axes_of(name)) if letter in "TS"]
    if x.shape[at[0]] > T:
        x = np.ascontiguousarray(
            x[tuple(slice(T) if axis in at else slice(None) for axis in range(x.ndim))])
    if min(lengths) < T:
        x = np.array(x)
        for axis in at:
            rows = np.moveaxis(x, axis, 1)
            for row, length in enumerate(lengths):
                rows[row, length:] = np.nan
    return x


def record_by_layer(model: Model, prompt, names: str | Sequence[str] = "*",
                    twin: str = "jax") -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, array) in the order of the computation, with one layer in memory at a time."""
    model = model.on(twin)
    tokens_BT, config = prompt_tokens(model, prompt), model.config
    wanted, (B, T) = matching(names, config), tokens_BT.shape
    cut = lambda name, x: (name, ended(x, name, [T] * B))
    tokens_BT = np.pad(tokens_BT, ((0, 0), (0, room_for(T, config, twin) - T)))
    x_BTD, seen = before_layers(twin, model.params, tokens_BT, config)
    yield from (cut(name, seen[name]) for name in seen if name in wanted)
    for i, layer in enumerate(model.params["layers"]):
        inside = tuple(name.removeprefix(f"layers.{i}.") for name in wanted
                       if name.startswith(f"layers.{i}."))
        x_BTD, seen = through_block(twin, layer, x_BTD, config, names=inside)
        yield from (cut(f"layers.{i}.{name}", seen[name]) for name in inside)
    if "final_norm" in wanted:
        yield cut("final_norm", norm(twin, model.params, x_BTD, config))
    if "logits" in wanted:
        yield "logits", np.asarray(through_head(
            twin, model.params, ended(x_BTD, "layers.0.resid_post", [T] * B), config))


def before_layers(twin: str, params, tokens_BT, config):
    """(x_BTD, record) before the first block."""
    names = family(config).embedding_taps
    if twin == "jax":
        from minillm.inspection import compiled

        return compiled.start(outer(params), tokens_BT, [], config, (), names)
    seen = {}
    return embed("numpy", params, tokens_BT, config, editor((), (), names, seen, np.where)), seen


def through_block(twin: str, layer, x_BTD, config, plan=(), values=(), names=()):
    """(new x_BTD, record) of one block, compiled once for all layers; names without the layer."""
    if twin == "jax":
        from minillm.inspection import compiled

        return compiled.block(layer, x_BTD, values, config, plan, names)
    seen = {}
    return block("numpy", layer, x_BTD, config, editor(plan, values, names, seen, np.where)), seen


def through_head(twin: str, params, x, config) -> np.ndarray:
    """Logits of a residual stream (..., D) -> (..., V)."""
    if twin == "jax":
        from minillm.inspection import compiled

        (logits,) = in_slices(x, lambda x_ND: (compiled.unembed(outer(params), x_ND, config),),
                              config.vocab_size)
        return logits.reshape(*np.shape(x)[:-1], -1)
    return unembed("numpy", params, x, config)


def in_slices(x, function, width: int, *others, room: int = 0) -> list[np.ndarray]:
    """The results (N, ...) of a compiled function of rows (N, D), some at a time, so that few shapes are compiled.

    `width`: numbers that it makes of a row. `others` (N,) are cut alike. `room`: N, if the texts
    were padded as in a run.
    """
    rows = [np.asarray(x).reshape(-1, np.shape(x)[-1]), *map(np.asarray, others)]
    count = len(rows[0])
    size = min(room or padded_length(count, 2 * count), max(1, ROWS_AT_ONCE // width))
    parts = []
    for begin in range(0, count, size):
        some = [each[begin : begin + size] for each in rows]
        some = [np.pad(each, [(0, size - len(each))] + [(0, 0)] * (each.ndim - 1)) for each in some]
        parts.append([np.asarray(each)[: count - begin] for each in function(*some)])
    return [np.concatenate(each) for each in zip(*parts)]
