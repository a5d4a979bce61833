"""The pieces of a forward pass that inspection needs, for both twins and both model families."""

from dataclasses import replace
from functools import wraps
from inspect import signature

import numpy as np

from minillm.architecture.adapted import Adapted
from minillm.architecture.quantized import Quantized
from minillm.architecture.tree import tree_map
from minillm.errors import UserError
from minillm.inspection.activations import axes_of
from minillm.inspection.shown import labelled
from minillm.loading import Model, twin_package


def prompt_rows(model: Model, prompt) -> list[np.ndarray]:
    """The token ids of each text of a prompt: a text, ids, several texts, or rows of ids. Raises UserError if unreadable."""
    if (isinstance(prompt, str) or len(np.shape(prompt[0] if len(prompt) else 0)) == 0
        and not isinstance(next(iter(prompt), 0), str)):
        prompt = [prompt]
    rows = [np.asarray(model.prompt_ids(row) if isinstance(row, str) else row) for row in prompt]
    for row in rows:
        model.check_tokens(row[None] if row.ndim == 1 else row)
    return [row.astype(np.int32) for row in rows]


def prompt_tokens(model: Model, prompt) -> np.ndarray:
    """Token ids (B, T) of a prompt whose texts have one length. Raises UserError."""
    rows = prompt_rows(model, prompt)
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        raise UserError(
            f"the texts have {lengths[0]} to {lengths[-1]} tokens: here they must be equally long")
    return np.stack(rows)


def one_text(model: Model, prompt, what: str) -> np.ndarray:
    """Token ids (1, T) of a prompt that must be one text. Raises UserError for several."""
    rows = prompt_rows(model, prompt)
    if len(rows) > 1:
        raise UserError(f"{what} is about one text, and here are {len(rows)}: give one at a time")
    return rows[0][None]


def each_text(function):
    """Let a function of one text take a batch: several texts give a list, what each would give
    alone. Token choices (`token_T`, `rival_T`) of a batch are a list, one for each text."""
    names = [name for name in signature(function).parameters][2:]

    @wraps(function)
    def over(model: Model, prompt, *arguments, **options):
        rows, options = prompt_rows(model, prompt), dict(zip(names, arguments)) | options
        each = [own_options(options, rows, i) for i in range(len(rows))]
        found = [function(model, row[None], **own) for row, own in zip(rows, each, strict=True)]
        found = [labelled(one, model.tokenizer, row) for one, row in zip(found, rows)]
        return found[0] if len(found) == 1 else found

    return over


def own_options(options: dict, rows: list[np.ndarray], i: int) -> dict:
    """The options of one text of a batch. Raises UserError."""
    own, length = dict(options), len(rows[i])
    if own.get("seen") is not None:
        texts = len(next(iter(own["seen"].values())))
        if texts != len(rows):
            raise UserError(f"the record is of {texts} texts and the prompt of {len(rows)}")
        own["seen"] = row_of(own["seen"], i, length)
    for name in ("token_T", "rival_T"):
        chosen = own.get(name)
        if chosen is not None:
            if len(rows) > 1 and len(chosen) == len(rows):
                chosen = chosen[i]
            own[name] = np.asarray(chosen)
            if own[name].shape != (length,):
                each = ", for each text" if len(rows) > 1 else ""
                raise UserError(f"{name} has shape {own[name].shape}: give a token for each of the "
                                f"{length} positions{each}")
    return own


def row_of(seen: dict, row: int, length: int) -> dict:
    """The record of one text of a batch, without what it was padded with."""

    def cut(name, x):
        for axis, letter in enumerate(axes_of(name)):
            x = x[(slice(None),) * axis + (slice(length),)] if letter in "TS" else x
        return x[row : row + 1]

    return {name: cut(name, x) for name, x in seen.items()}


def in_numpy(weight):
    """A weight in NumPy arrays: of JAX's, a product would be computed by JAX."""
    if isinstance(weight, Adapted):
        return Adapted(*map(in_numpy, (weight.w, weight.a, weight.b)), weight.scale)
    if isinstance(weight, Quantized):
        return replace(weight, **{name: np.asarray(part) for name, part in weight.parts().items()})
    return np.asarray(weight)


def matrix(weight) -> np.ndarray:
    """A weight as a matrix, at least float32: only this function knows how weights are stored."""
    if isinstance(weight, Adapted):
        return matrix(weight.w) + weight.scale * (matrix(weight.a) @ matrix(weight.b))
    if isinstance(weight, Quantized):
        from minillm.in_numpy.quantize import dequantize

        weight = dequantize(in_numpy(weight))
    weight = np.asarray(weight)
    return weight if weight.dtype in (np.float32, np.float64) else weight.astype(np.float32)


def as_read(weight, x) -> np.ndarray:
    """What a product with this weight reads of x (..., in): rounded to integers times a scale where the scheme does that."""
    if not getattr(getattr(weight, "scheme", None), "activations", False):
        return x
    from minillm.in_numpy.quantize import inlier_mask, quantize_tokens

    x_TI = np.asarray(x).reshape(-1, x.shape[-1])
    inside_I = (1 if weight.columns is None
                else inlier_mask(np.asarray(weight.columns), x_TI.shape[-1], x_TI.dtype))
    integers_TI, scale_T1 = quantize_tokens(x_TI * inside_I)
    return (integers_TI * scale_T1 + x_TI * (1 - inside_I)).reshape(x.shape)


def head_matrix(model: Model) -> np.ndarray:
    """The (D, V) matrix that turns the last activations into logits."""
    params = model.params
    return matrix(params["lm_head"]) if "lm_head" in params else matrix(params["embed_tokens"]).T


def widened(params):
    """The parameters in float64."""
    return tree_map(lambda weight: matrix(weight).astype(np.float64), params)


def block(twin: str, layer, x_BTD, config, tap):
    """One block on whole texts from position 0."""
    return twin_package(twin).module_of(config).block_alone(layer, x_BTD, config, tap)[0]


def norm(twin: str, params, x, config):
    """The final norm of any model: RMSNorm, or LayerNorm."""
    return twin_package(twin).module_of(config).final_norm(params, x, config)


def unembed(twin: str, params, x, config, tap=lambda name, x: x):
    """Logits of a residual stream: the final norm, then the head. x (..., D) -> (..., V)."""
    x = tap("final_norm", norm(twin, params, x, config))
    return tap("logits", twin_package(twin).read(params, x))


def outer(params) -> dict:
    """The parameters outside the layers, which `unembed` needs."""
    return {name: value for name, value in params.items() if name != "layers"}


def embed(twin: str, params, tokens_BT, config, tap):
    """The start of the residual stream, (B, T, D)."""
    return twin_package(twin).module_of(config).embed(params, tokens_BT, config, tap)


def forward(twin: str, config):
    """The forward of a model."""
    return twin_package(twin).forward_of(config)
