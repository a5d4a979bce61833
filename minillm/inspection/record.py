"""Reading activations: all or some, at once or layer by layer, with or without edits.

    seen = record(model, "Once there was", ["layers.3.*", "*.pattern"])

Names and axes: activations.py. In JAX the record is an output of the compiled program, so nothing is computed twice.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from minillm.inspection.activations import estimate, matching
from minillm.inspection.dispatch import block, forward, outer, prompt_tokens, unembed
from minillm.inspection.edit import Edit, editor, prepared
from minillm.loading import Model

AT_ONCE = 2**30   # bytes: a larger record is made layer by layer


def record(model: Model, prompt, names: str | Sequence[str] = "*", edits: Sequence[Edit] = (), twin: str = "jax") -> dict:
    """{name: array}: the activations that match `names` (globs), after the `edits`, in order.

    `estimate` gives the memory. Raises UserError for a glob or an edit that matches nothing, and
    for a prompt that the model cannot read.
    """
    tokens_BT = prompt_tokens(model, prompt)
    wanted = matching(names, model.config)
    if not edits and estimate(model.config, tokens_BT.shape[1], len(tokens_BT), wanted) > AT_ONCE:
        return dict(record_by_layer(model, tokens_BT, wanted, twin))
    return run(model, tokens_BT, wanted, edits, twin)[1]


def logits_of(model: Model, prompt, edits: Sequence[Edit] = (), twin: str = "jax") -> np.ndarray:
    """The logits (B, T, V) after the edits."""
    return run(model, prompt, (), edits, twin)[0]


def run(model: Model, prompt, names: str | Sequence[str] = (), edits: Sequence[Edit] = (), twin: str = "jax"):
    """(logits (B, T, V), record): one forward pass, edited and recorded."""
    model.check_twin(twin)
    tokens_BT, config = prompt_tokens(model, prompt), model.config
    names = matching(names, config)
    plan, values = prepared(edits, config, *tokens_BT.shape, model.params["norm"].dtype)
    if twin == "jax":
        from minillm.inspection import compiled
        logits_BTV, seen = compiled.run(model.params, tokens_BT, values, config, names, plan)
        seen = {name: np.asarray(seen[name]) for name in names}
        return seen["logits"] if logits_BTV is None else np.asarray(logits_BTV), seen
    seen = {}
    logits_BTV, _ = forward("numpy", config)(model.params, tokens_BT, config, tap=editor(plan, values, names, seen, np.where))
    return logits_BTV, seen


def record_by_layer(model: Model, prompt, names: str | Sequence[str] = "*", twin: str = "jax") -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, array) in the order of the computation, with one layer in memory at a time."""
    model = model.on(twin)
    tokens_BT, config = prompt_tokens(model, prompt), model.config
    wanted = matching(names, config)
    seen = run(model, tokens_BT, ["embed*", "layers.0.resid_pre"], (), twin)[1]
    yield from ((name, seen[name]) for name in seen if name in wanted and name.startswith("embed"))
    x_BTD = seen["layers.0.resid_pre"]
    for i, layer in enumerate(model.params["layers"]):
        inside = tuple(name.removeprefix(f"layers.{i}.") for name in wanted if name.startswith(f"layers.{i}."))
        x_BTD, seen = through_block(twin, layer, x_BTD, config, names=inside)
        yield from ((f"layers.{i}.{name}", np.asarray(seen[name])) for name in inside)
    if "final_norm" in wanted:
        from minillm.inspection.dispatch import norm
        yield "final_norm", np.asarray(norm(twin, model.params, x_BTD, config))
    if "logits" in wanted:
        yield "logits", np.asarray(through_head(twin, model.params, x_BTD, config))


def through_block(twin: str, layer, x_BTD, config, plan=(), values=(), names=()):
    """(new x_BTD, record) of one block, compiled once for all layers; names without the layer."""
    if twin == "jax":
        from minillm.inspection import compiled
        return compiled.block(layer, x_BTD, values, config, plan, names)
    seen = {}
    return block("numpy", layer, x_BTD, config, editor(plan, values, names, seen, np.where)), seen


def through_head(twin: str, params, x, config):
    """Logits of a residual stream (..., D) -> (..., V)."""
    if twin == "jax":
        from minillm.inspection import compiled
        return compiled.unembed(outer(params), x, config)
    return unembed("numpy", params, x, config)
