"""Qwen3 (Yang et al. 2025, arXiv:2505.09388): a LLaMA that normalizes each query and each key
before it is rotated.

Its table is the LLaMA's, with two vectors more in each layer: "q_norm" (E,) after the queries and
"k_norm" (E,) after the keys, the weights of an RMSNorm over the numbers of one head (Dehghani et
al. 2023, arXiv:2302.05442, section 2).
"""

from dataclasses import dataclass
from typing import ClassVar

from minillm.architecture import llama
from minillm.architecture.llama import Parameter
from minillm.config import ModelConfig


@dataclass(frozen=True)
class Qwen3Config(ModelConfig):
    """The shape of one Qwen3. Raises UserError for a combination that is no model."""

    model_type: ClassVar[str] = "qwen3"
    architecture: ClassVar[str] = "Qwen3ForCausalLM"


def table(config: Qwen3Config) -> dict:
    """The tree of `Parameter`s of a model."""
    norms = {f"{name}_norm": Parameter((config.head_dim,), None) for name in "qk"}
    tree = llama.table(config)
    return tree | {"layers": [layer | norms for layer in tree["layers"]]}
