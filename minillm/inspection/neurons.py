"""MLP neurons: the most active on a prompt, what activates them in a text, what they promote.

A neuron writes its activation times its row of down_proj. Neurons are ranked by the norm of that
product, because a large activation times a small row does little.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minillm.architecture.family import family
from minillm.inspection.dispatch import each_text, head_matrix, matrix, prompt_tokens
from minillm.inspection.lens import largest
from minillm.inspection.record import run
from minillm.loading import Model


@dataclass(frozen=True)
class Neurons:
    """The N strongest neurons at each position: layer, unit, activation, norm of the output."""

    layer_TN: np.ndarray
    unit_TN: np.ndarray
    activation_TN: np.ndarray
    norm_TN: np.ndarray


@each_text
def top_neurons(model: Model, prompt, count: int = 5, seen: dict | None = None,
                twin: str = "jax") -> Neurons:
    """The neurons with the largest outputs at each position of a prompt."""
    tokens_BT, L = prompt_tokens(model, prompt), model.config.num_hidden_layers
    seen = seen or run(model, tokens_BT, "*.mlp_post", (), twin)[1]
    active_TLF = np.stack([seen[f"layers.{i}.mlp_post"][0] for i in range(L)], 1)
    rows_LF = np.stack(
        [np.linalg.norm(matrix(layer["down_proj"]), axis=-1) for layer in model.params["layers"]])
    active_TN, norm_TN = (x.reshape(len(x), -1) for x in (active_TLF, np.abs(active_TLF) * rows_LF))
    best_TN = largest(norm_TN, min(count, norm_TN.shape[-1]))
    layer_TN, unit_TN = np.divmod(best_TN, active_TLF.shape[-1])
    return Neurons(layer_TN, unit_TN, np.take_along_axis(active_TN, best_TN, -1),
                   np.take_along_axis(norm_TN, best_TN, -1))


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
