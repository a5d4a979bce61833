"""Qwen2 (Yang et al. 2024, arXiv:2407.10671): a LLaMA whose queries, keys and values have
biases."""

from dataclasses import dataclass
from typing import ClassVar

from minillm.config import ModelConfig


@dataclass(frozen=True)
class Qwen2Config(ModelConfig):
    """The shape of one Qwen2. Raises UserError for a combination that is no model."""

    model_type: ClassVar[str] = "qwen2"
    architecture: ClassVar[str] = "Qwen2ForCausalLM"

    @property
    def biased(self) -> tuple[str, ...]:
        """Always these three."""
        return ("q", "k", "v")
