"""MLP neurons: the most active on a prompt, what activates them in a text, what they promote.

A neuron writes its activation times its row of down_proj. It can be ranked

share   by the norm of what it writes, relative to the norm of the stream after its layer:
        streams grow from layer to layer, so by norm alone the last layers would always win
norm    by the norm of what it writes
logit   by what it adds to the logit of the next token, on the direct path (attribution.py)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minillm.architecture.family import family
from minillm.errors import UserError
from minillm.inspection.attribution import through_norm
from minillm.inspection.dispatch import as_read, each_text, head_matrix, matrix, prompt_tokens
from minillm.inspection.lens import largest
from minillm.inspection.record import run
from minillm.inspection.shown import Result
from minillm.loading import Model

RANKINGS = ("share", "norm", "logit")


@dataclass(frozen=True)
class Neurons(Result):
    """The N strongest neurons at each position: layer, unit, activation, norm of the output, and
    the number by which they were ranked (the largest absolute value first)."""

    layer_TN: np.ndarray
    unit_TN: np.ndarray
    activation_TN: np.ndarray
    norm_TN: np.ndarray
    score_TN: np.ndarray
    by: str


@each_text
def top_neurons(model: Model, prompt, count: int = 5, seen: dict | None = None, twin: str = "jax",
                by: str = "share", layers: Sequence[int] | None = None, token_T=None) -> Neurons:
    """The strongest neurons at each position of a prompt, of all layers or of some.

    `token_T` are the tokens of the logits, by default the next ones. Raises UserError.
    """
    tokens_BT, config = prompt_tokens(model, prompt), model.config
    if by not in RANKINGS:
        raise UserError(f"neurons cannot be ranked by {by!r}: choose {', '.join(RANKINGS)}")
    layers = range(config.num_hidden_layers) if layers is None else layers
    if not len(layers) or any(not 0 <= i < config.num_hidden_layers for i in layers):
        raise UserError(f"layers are {list(layers)}: name some of 0 to "
                        f"{config.num_hidden_layers - 1}")
    last = f"layers.{config.num_hidden_layers - 1}.resid_post"
    seen = seen or run(model, tokens_BT, ["*.mlp_post", "*.resid_post", "logits"], (), twin)[1]
    if by == "logit":
        best = np.append(tokens_BT[0, 1:], np.argmax(seen["logits"][0, -1]))
        read_TD = head_matrix(model)[:, best if token_T is None else token_T].T
        direction_TD = through_norm(model, seen[last][0], read_TD)[0]
    parts = []
    for i in layers:
        active_TF, down_FD = seen[f"layers.{i}.mlp_post"][0], model.params["layers"][i]["down_proj"]
        read_TF, down_FD = as_read(down_FD, active_TF), matrix(down_FD)
        norm_TF = np.abs(read_TF) * np.linalg.norm(down_FD, axis=-1)
        stream_T1 = np.linalg.norm(seen[f"layers.{i}.resid_post"][0], axis=-1, keepdims=True)
        score_TF = (norm_TF if by == "norm" else norm_TF / np.maximum(stream_T1, 1e-30)
                    if by == "share" else read_TF * (direction_TD @ down_FD.T))
        best_TN = largest(np.abs(score_TF), min(count, score_TF.shape[-1]))
        kept = (np.take_along_axis(x, best_TN, -1) for x in (active_TF, norm_TF, score_TF))
        parts.append((np.full_like(best_TN, i), best_TN, *kept))
    every = [np.concatenate(each, -1) for each in zip(*parts)]
    best_TN = largest(np.abs(every[-1]), min(count, every[-1].shape[-1]))
    return Neurons(*(np.take_along_axis(each, best_TN, -1) for each in every), by)


def top_tokens(model: Model, rows_BT, neurons: Sequence[tuple[int, int]], count: int = 8,
               signs=None, twin: str = "jax"):
    """(row_NM, position_NM, activation_NM): where in a text each (layer, unit) is most active.

    `signs` (N,): -1 for a neuron if you want its most negative activations.
    """
    rows_BT = prompt_tokens(model, rows_BT)
    signs = np.ones(len(neurons)) if signs is None else np.asarray(signs)
    layers = sorted({layer for layer, _ in neurons})
    names = [f"layers.{i}.mlp_post" for i in layers]
    active_NBT = np.stack(
        [np.concatenate(parts)
         for parts in zip(*([seen[f"layers.{layer}.mlp_post"][..., unit] for layer, unit in neurons]
                            for seen in (run(model, rows_BT[i : i + 4], names, (), twin)[1]
                                         for i in range(0, len(rows_BT), 4))))])
    flat_NM = active_NBT.reshape(len(neurons), -1)
    best_NM = largest(flat_NM * signs[:, None], min(count, flat_NM.shape[-1]))
    return *np.divmod(best_NM, rows_BT.shape[1]), np.take_along_axis(flat_NM, best_NM, -1)


def promoted(model: Model, neurons: Sequence[tuple[int, int]], count: int = 6) -> np.ndarray:
    """The tokens whose logits each (layer, unit) raises most, on the direct path: (N, M)."""
    written_ND = np.stack(
        [matrix(model.params["layers"][layer]["down_proj"])[unit] for layer, unit in neurons])
    if family(model.config).norm_subtracts_mean:
        written_ND = written_ND - written_ND.mean(-1, keepdims=True)
    logits_NV = (written_ND * matrix(model.params["norm"])) @ head_matrix(model)    # the norm's scale changes no order
    return largest(logits_NV, min(count, model.config.vocab_size))
