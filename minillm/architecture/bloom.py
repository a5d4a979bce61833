"""The shape of a BLOOM (Le Scao et al. 2022, arXiv:2211.05100): its config and its table of parameters.

    {"embed_tokens": (V, D), "embed_layernorm": (D,), "embed_layernorm_bias": (D,),
     "layers": [{"input_layernorm": (D,), "input_layernorm_bias": (D,),
                 "q_proj": (D, D), "q_bias": (D,), and the same for k, v, o,
                 "post_attention_layernorm": (D,), "post_attention_layernorm_bias": (D,),
                 "up_proj": (D, 4D), "up_bias": (4D,), "down_proj": (4D, D), "down_bias": (D,)}, ...],
     "norm": (D,), "norm_bias": (D,),
     "lm_head": (D, V)}                       # absent when the head is tied to the embedding

The names are the LLaMA's (llama.py) where the parts are the same. A BLOOM has no rotary positions: `slopes` says how
attention falls off with distance instead. Nothing here is trained: see formats/bloom.py.
"""

from dataclasses import dataclass
from math import floor, log2
from typing import ClassVar

import numpy as np

from minillm.config import BOOLEAN, COUNT, POSITIVE, check, check_marks, end_tokens
from minillm.errors import require


@dataclass(frozen=True)
class BloomConfig:
    """The shape of one BLOOM. Raises UserError for a combination that is no model."""

    model_type: ClassVar[str] = "bloom"

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int = 2048
    layer_norm_epsilon: float = 1e-5
    tie_word_embeddings: bool = True
    bos_token_id: int | None = 1
    eos_token_id: int | tuple[int, ...] | None = 2

    def __post_init__(self):
        check(self, COUNT, "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
              "max_position_embeddings")
        require(self.hidden_size % self.num_attention_heads == 0, "num_attention_heads",
                self.num_attention_heads, f"a divisor of hidden_size ({self.hidden_size})")
        check(self, POSITIVE, "layer_norm_epsilon")
        check(self, BOOLEAN, "tie_word_embeddings")
        check_marks(self)

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """The tokens after which a text is over: none, one or several."""
        return end_tokens(self)

    @property
    def head_dim(self) -> int:
        """E = D / H."""
        return self.hidden_size // self.num_attention_heads

    @property
    def intermediate_size(self) -> int:
        """F = 4 D."""
        return 4 * self.hidden_size

    @property
    def num_key_value_heads(self) -> int:
        """K = H: every head has its own keys and values."""
        return self.num_attention_heads


def table(config: BloomConfig) -> dict:
    """The tree of shapes (tuples) of a BLOOM's parameters."""
    V, D = config.vocab_size, config.hidden_size
    matrices = {f"{name}_proj": (D, D) for name in "qkvo"} | {"up_proj": (D, 4 * D),
                                                              "down_proj": (4 * D, D)}
    layer = {"input_layernorm": (D,), "input_layernorm_bias": (D,)}
    for name, shape in matrices.items():
        if name == "up_proj":
            layer |= {"post_attention_layernorm": (D,), "post_attention_layernorm_bias": (D,)}
        layer |= {name: shape, name.replace("_proj", "_bias"): shape[1:]}
    tree = {"embed_tokens": (V, D), "embed_layernorm": (D,), "embed_layernorm_bias": (D,),
            "layers": [dict(layer) for _ in range(config.num_hidden_layers)], "norm": (D,),
            "norm_bias": (D,)}
    return tree if config.tie_word_embeddings else tree | {"lm_head": (D, V)}


def slopes(heads: int) -> np.ndarray:
    """ALiBi's slopes (H,): 2^(-8 h / H) for h = 1 ... H (Press et al. 2021, arXiv:2108.12409,
    section 3).

    Where H is no power of two: those of the power below it, then every other one of the power above
    it.
    """
    below = 2 ** floor(log2(heads))
    slopes_H = 2.0 ** (-8 * np.arange(1, below + 1) / below)
    between_H = 2.0 ** (-4 * np.arange(1, 2 * (heads - below) + 1, 2) / below)
    return np.concatenate([slopes_H, between_H])
