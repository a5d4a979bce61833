"""THE table: which parameters a LLaMA has, their shapes, how they start. Shapes are declared here and nowhere else.

Parameters are a nested dict of arrays, the same tree in both twins:

    {"embed_tokens": (V, D),
     "layers": [{"input_layernorm": (D,), "q_proj": (D, H*E), "k_proj": (D, K*E), "v_proj": (D, K*E), "o_proj": (H*E, D),
                 "post_attention_layernorm": (D,), "gate_proj": (D, F), "up_proj": (D, F), "down_proj": (F, D)}, ...],
     "norm": (D,),
     "lm_head": (D, V)}                       # absent when the head is tied to the embedding

Models of others may have biases: q_bias, k_bias, v_bias, o_bias; gate_bias, up_bias, down_bias, each beside its matrix.

Weights are (in, out), so that the code says `x @ w`.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from minillm.config import ModelConfig


PASS_ON = 6.0  # a head that looks at everything passes on a small share of each token: this makes up for some of it


@dataclass(frozen=True)
class Parameter:
    """One row of the table: its shape and the standard deviation it starts with (None: it starts as ones)."""

    shape: tuple[int, ...]
    std: float | None


def table(config: ModelConfig) -> dict:
    """The tree of `Parameter`s of a model.

    Matrices start as N(0, initializer_range^2); down_proj, which writes into the residual stream,
    smaller by 1/sqrt(2L), so that the stream's variance does not grow with depth (Radford et al.
    2019, GPT-2, section 2.3). For o_proj see `init`.
    """
    V, D, F, L = (
        config.vocab_size,
        config.hidden_size,
        config.intermediate_size,
        config.num_hidden_layers,
    )
    H, K, E = config.num_attention_heads, config.num_key_value_heads, config.head_dim
    std = config.initializer_range
    layer = {
        "input_layernorm": Parameter((D,), None),
        "q_proj": Parameter((D, H * E), std),
        "k_proj": Parameter((D, K * E), std),
        "v_proj": Parameter((D, K * E), std),
        "o_proj": Parameter((H * E, D), std),
        "post_attention_layernorm": Parameter((D,), None),
        "gate_proj": Parameter((D, F), std),
        "up_proj": Parameter((D, F), std),
        "down_proj": Parameter((F, D), std / sqrt(2 * L)),
    }
    if config.attention_bias:
        layer = beside(layer, ("q", "k", "v", "o"))
    if config.mlp_bias:
        layer = beside(layer, ("gate", "up", "down"))
    tree = {
        "embed_tokens": Parameter((V, D), std),
        "layers": [dict(layer) for _ in range(L)],
        "norm": Parameter((D,), None),
    }
    if not config.tie_word_embeddings:
        tree["lm_head"] = Parameter((D, V), std)
    return tree


def beside(layer: dict, names: tuple[str, ...]) -> dict:
    """The layer's table with a bias right after each of these matrices; biases start at zero."""
    with_biases = {}
    for name, parameter in layer.items():
        with_biases[name] = parameter
        if name.removesuffix("_proj") in names:
            with_biases[name.removesuffix("_proj") + "_bias"] = Parameter(parameter.shape[1:], 0.0)
    return with_biases


def init(config: ModelConfig, rng: np.random.Generator, dtype=np.float32) -> dict:
    """Fresh parameters as NumPy arrays; the same generator gives both twins the same numbers.

    o_proj starts as PASS_ON times the transpose of v_proj, so that every head begins by passing on what it looks at: then
    learning to copy a name is only learning where to look (Trockman and Kolter 2023, arXiv:2305.09828, start attention
    with such a structure). benchmarks/init_ablation.py compares it with a random start.
    """

    def fresh(parameter):
        if parameter.std is None:
            return np.ones(parameter.shape, dtype)
        return (parameter.std * rng.standard_normal(parameter.shape)).astype(dtype)

    params = tree_map(fresh, table(config))
    for layer in params["layers"]:
        v_DKE = layer["v_proj"].reshape(config.hidden_size, config.num_key_value_heads, config.head_dim)
        layer["o_proj"] = PASS_ON * v_DKE.repeat(config.queries_per_key, axis=1).reshape(config.hidden_size, -1).T
        layer["o_proj"] = np.ascontiguousarray(layer["o_proj"], dtype)
    return params


def count(config: ModelConfig) -> int:
    """How many numbers the model holds; a tied head is counted once."""
    return sum(int(np.prod(parameter.shape)) for parameter in flatten(table(config)).values())


def tree_map(function, tree, *others):
    """Apply `function` to every leaf of `tree` (and the leaves at the same place in `others`); the shape stays."""
    if isinstance(tree, dict):
        return {name: tree_map(function, tree[name], *(other[name] for other in others)) for name in tree}
    if isinstance(tree, list):
        return [tree_map(function, *leaves) for leaves in zip(tree, *others, strict=True)]
    return function(tree, *others)


def flatten(tree, prefix: str = "") -> dict:
    """{"layers.0.q_proj": leaf, ...}: the leaves in the order of the table, named by their path."""
    if isinstance(tree, (dict, list)):
        children = tree.items() if isinstance(tree, dict) else enumerate(tree)
        return {path: leaf for name, child in children for path, leaf in flatten(child, f"{prefix}{name}.").items()}
    return {prefix[:-1]: tree}


def unflatten(leaves: dict, tree):
    """The inverse of `flatten`: `tree` gives the shape, `leaves` the values by path."""
    values = iter([leaves[path] for path in flatten(tree)])
    return tree_map(lambda _: next(values), tree)
