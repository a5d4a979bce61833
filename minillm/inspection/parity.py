"""Is it the same model? Every activation beside that of another implementation, and the first that differs.

    record      our activations by tap name, as NumPy arrays
    reference   the same from `transformers` (LLaMA and BLOOM), by hooks on its modules
    golden      the same from a file that `save` wrote, or one of tests/golden/variations
    compare     the largest difference at each, in the order of the computation
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from minillm.errors import UserError, missing
from minillm.files import replacing
from minillm.formats.checkpoint import format_of
from minillm.formats.weights import Weights
from minillm.loading import Model, twin_package

PREFIX = "tap."


def record(model: Model, tokens_BT, twin: str) -> dict[str, np.ndarray]:
    """Every activation of one forward pass by its tap name, in the order of the computation."""
    seen = {}

    def keep(name, x):
        seen[name] = np.asarray(x)
        return x

    twin_package(twin).forward_of(model.config)(model.params, tokens_BT, model.config, tap=keep)
    return seen


def save(path, tokens_BT, seen: dict):
    """Write a golden file: the tokens and every activation. Raises UserError."""
    tensors = {"tokens": np.asarray(tokens_BT, np.int32)} | {PREFIX + name: np.ascontiguousarray(x)
                                                             for name, x in seen.items()}
    with replacing(Path(path)) as beside:
        save_file(tensors, beside, metadata={"golden": json.dumps({"by": "minillm parity --save"})})


def golden(path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(tokens, activations by tap name) of a golden file. Raises UserError."""
    path = Path(path)
    with Weights([path], ("F32", "F16", "BF16", "I32")) as file:
        names = {name.removeprefix("golden."): name for name in file.names}
        if "tokens" not in names or file.kind(names["tokens"]) != "I32":
            raise UserError(
                f"{path}: holds no tokens, so it is not a golden file: make one with --save")
        wanted = {short.removeprefix(PREFIX): name for short, name in names.items()
                  if short.startswith(PREFIX) or short == "logits"}
        return file.read(names["tokens"], np.int32), {short: file.read(name, np.float32)
                                                      for short, name in wanted.items()}


def reference(folder, tokens_BT, config) -> dict[str, np.ndarray]:
    """What `transformers` computes on the way, under our tap names. Raises UserError where it is not installed."""
    try:
        import torch
        import transformers
    except ImportError as error:
        raise missing("--against transformers", error.name, "parity") from None
    transformers.utils.logging.set_verbosity_error()
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True).eval()
    seen = {}

    def keep(name, x, heads=None):
        x = x[0] if isinstance(x, tuple) else x
        seen[name] = (x if heads is None
                      else x.unflatten(-1, (heads, -1)).transpose(1, 2)).detach().float().numpy()

    def before(module, name, heads=None):
        module.register_forward_pre_hook(
            lambda _, args, kwargs: keep(name, args[0] if args else kwargs["hidden_states"], heads),
            with_kwargs=True)

    def after(module, name, heads=None):
        module.register_forward_hook(lambda _, args, out: keep(name, out, heads))

    for path, side, tap, heads in format_of(config.model_type).MODULES:
        for i in range(config.num_hidden_layers if "{i}" in path else 1):
            watch = before if side == "in" else after
            watch(theirs.get_submodule(path.format(i=i)), tap.format(i=i),
                  heads and getattr(config, heads))
    with torch.no_grad():
        out = theirs(torch.tensor(np.asarray(tokens_BT), dtype=torch.long), output_attentions=True)
    for i, pattern in enumerate(out.attentions or ()):
        keep(f"layers.{i}.pattern", pattern)
    keep("logits", out.logits)
    return seen


def compare(ours: dict, theirs: dict, tolerance: float) -> list[dict]:
    """For each activation in both: {"tap", "difference", "relative", "same"}, in the order of the
    computation.

    `relative` is to the largest number of theirs; not finite where either is not. Raises UserError
    for shapes that differ.
    """
    rows = []
    for name in (name for name in ours if name in theirs):
        mine, other = ours[name], theirs[name]
        # (B, K, G, ...): others count the heads in one axis
        if mine.ndim == 5 and other.ndim == 4:
            mine = mine.reshape(mine.shape[0], -1, *mine.shape[3:])
        if mine.shape != other.shape:
            raise UserError(f"{name} has shape {mine.shape} here and {other.shape} there: "
                            "not the same model, or other tokens")
        finite = np.isfinite(other)
        # scores of keys that nobody may see: -inf
        same_holes = np.array_equal(mine[~finite], other[~finite])
        difference = (float(np.max(np.abs(mine[finite] - other[finite]), initial=0)) if same_holes
                      else float("nan"))
        relative = difference / max(float(np.max(np.abs(other[finite]), initial=0)), 1e-30)
        rows.append(
            {
                "tap": name,
                "difference": difference,
                "relative": relative,
                "same": bool(relative <= tolerance),
            }
        )
    return rows
