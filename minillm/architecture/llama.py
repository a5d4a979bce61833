"""THE table: which parameters a LLaMA has, their shapes, how they start. Shapes are declared here
and nowhere else.

Parameters are a nested dict of arrays, the same tree in both twins:

    {"embed_tokens": (V, D),
     "layers": [{"input_layernorm": (D,), "q_proj": (D, H*E), "k_proj": (D, K*E), "v_proj": (D,
     K*E), "o_proj": (H*E, D),
                 "post_attention_layernorm": (D,), "gate_proj": (D, F), "up_proj": (D, F),
                 "down_proj": (F, D)}, ...],
     "norm": (D,),
     "lm_head": (D, V)}                       # absent when the head is tied to the embedding

Models of others may have biases: q_bias, k_bias, v_bias, o_bias; gate_bias, up_bias, down_bias,
each beside its matrix.

Weights are (in, out), so that the code says `x @ w`.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from minillm.architecture.tree import flatten, tree_map
from minillm.config import ModelConfig


@dataclass(frozen=True)
class Parameter:
    """One row of the table: its shape and the standard deviation it starts with (None: it starts as
    ones)."""

    shape: tuple[int, ...]
    std: float | None


def table(config: ModelConfig) -> dict:
    """The tree of `Parameter`s of a model.

    Matrices start as N(0, initializer_range^2); o_proj and down_proj, which write into the residual
    stream, smaller by 1/sqrt(2L), so that the stream's variance does not grow with depth (Radford
    et al. 2019, GPT-2, section 2.3). See `init` for another start of o_proj.
    """
    V, D, F, L = (
        config.vocab_size,
        config.hidden_size,
        config.intermediate_size,
        config.num_hidden_layers,
    )
    H, K, E = config.num_attention_heads, config.num_key_value_heads, config.head_dim
    std = config.initializer_range
    smaller = std / sqrt(2 * L)
    layer = {
        "input_layernorm": Parameter((D,), None),
        "q_proj": Parameter((D, H * E), std),
        "k_proj": Parameter((D, K * E), std),
        "v_proj": Parameter((D, K * E), std),
        "o_proj": Parameter((H * E, D), smaller),
        "post_attention_layernorm": Parameter((D,), None),
        "gate_proj": Parameter((D, F), std),
        "up_proj": Parameter((D, F), std),
        "down_proj": Parameter((F, D), smaller),
    }
    layer = beside(layer, config.biased)
    tree = {"embed_tokens": Parameter((V, D), std), "layers": [dict(layer) for _ in range(L)],
            "norm": Parameter((D,), None)}
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

    With `o_proj_init_gain` g > 0, o_proj starts as g times the transpose of v_proj, so that every
    head begins by passing on what it looks at: then learning to copy a name is only learning where
    to look (Trockman and Kolter 2023, arXiv:2305.09828, start attention with such a structure). A
    head that looks at everything passes on a small share of each token; g makes up for some of it.
    All else starts with the same numbers. benchmarks/init_ablation.py compares the two.
    """

    def fresh(parameter):
        if parameter.std is None:
            return np.ones(parameter.shape, dtype)
        return (parameter.std * rng.standard_normal(parameter.shape)).astype(dtype)

    params = tree_map(fresh, table(config))
    D, K, E = config.hidden_size, config.num_key_value_heads, config.head_dim
    for layer in params["layers"] if config.o_proj_init_gain else ():
        v_DKE = layer["v_proj"].reshape(D, K, E)
        v_DO = v_DKE.repeat(config.queries_per_key, axis=1).reshape(D, -1)
        layer["o_proj"] = np.ascontiguousarray(config.o_proj_init_gain * v_DO.T, dtype)
    return params


def count(config: ModelConfig) -> int:
    """How many numbers the model holds; a tied head is counted once."""
    return sum(int(np.prod(parameter.shape)) for parameter in flatten(table(config)).values())
