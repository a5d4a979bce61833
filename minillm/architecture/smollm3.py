"""SmolLM3 (Bakouch et al. 2025, huggingface.co/blog/smollm3): a LLaMA in which some layers have no
rotary positions, as a rule every fourth (Yang et al. 2025, arXiv:2501.18795, section 3).

Its table is the LLaMA's. A layer without rotary positions has one entry more, "no_rope", an empty
dict: it holds no numbers, and says to whoever has the layer alone which kind it is.
"""

from dataclasses import dataclass
from typing import ClassVar

from minillm.architecture import llama
from minillm.config import ModelConfig
from minillm.errors import require


@dataclass(frozen=True)
class SmolLM3Config(ModelConfig):
    """The shape of one SmolLM3. `no_rope_layers` has a 1 for each layer with rotary positions and a
    0 for each without, as in Hugging Face's config.json.

    Raises UserError for a combination that is no model.
    """

    model_type: ClassVar[str] = "smollm3"
    architecture: ClassVar[str] = "SmolLM3ForCausalLM"

    no_rope_layers: tuple[int, ...] = ()

    def __post_init__(self):
        super().__post_init__()
        layers = self.no_rope_layers
        right = (isinstance(layers, tuple) and len(layers) == self.num_hidden_layers
                 and all(type(rotary) is int and rotary in (0, 1) for rotary in layers))
        require(right, "no_rope_layers", layers, f"{self.num_hidden_layers} numbers, each 0 or 1")


def every(interval: int, layers: int) -> tuple[int, ...]:
    """`no_rope_layers` where each `interval`-th layer has no rotary positions."""
    return tuple(int((i + 1) % interval != 0) for i in range(layers))


def table(config: SmolLM3Config) -> dict:
    """The tree of `Parameter`s of a model."""
    tree = llama.table(config)
    return tree | {"layers": [layer if rotary else layer | {"no_rope": {}}
                              for layer, rotary in zip(tree["layers"], config.no_rope_layers)]}
