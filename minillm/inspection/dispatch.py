"""The pieces of a forward pass that inspection needs, for both twins and both model families."""

from dataclasses import replace

import numpy as np

from minillm.architecture.tree import tree_map
from minillm.loading import Model, twin_package


def prompt_tokens(model: Model, prompt) -> np.ndarray:
    """Token ids (B, T) of a prompt: a text, ids, or rows of ids. Raises UserError if unreadable."""
    tokens = model.prompt_ids(prompt) if isinstance(prompt, str) else prompt
    tokens_BT = np.asarray(tokens)
    tokens_BT = tokens_BT[None] if tokens_BT.ndim == 1 else tokens_BT
    model.check_tokens(tokens_BT)
    return tokens_BT.astype(np.int32)


def matrix(weight) -> np.ndarray:
    """A weight as a matrix, at least float32: only this function knows how weights are stored."""
    if hasattr(weight, "scheme"):                                 # integers and their scales: minillm/architecture/quantized.py
        from minillm.in_numpy.quantize import dequantize
        weight = dequantize(replace(weight, **{name: np.asarray(part) for name, part in weight.parts().items()}))
    weight = np.asarray(weight)
    return weight if weight.dtype in (np.float32, np.float64) else weight.astype(np.float32)


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


def unembed(twin: str, params, x, config):
    """Logits of a residual stream: the final norm, then the head. x (..., D) -> (..., V)."""
    package = twin_package(twin)
    return package.linear(norm(twin, params, x, config), package.head(params))


def outer(params) -> dict:
    """The parameters outside the layers, which `unembed` needs."""
    return {name: value for name, value in params.items() if name != "layers"}


def forward(twin: str, config):
    """The forward of a model."""
    return twin_package(twin).forward_of(config)
