"""Mistral (Jiang et al. 2023, arXiv:2310.06825): a LLaMA by another name. Its window of attention
is refused, see formats."""

from dataclasses import dataclass
from typing import ClassVar

from minillm.config import ModelConfig


@dataclass(frozen=True)
class MistralConfig(ModelConfig):
    """The shape of one Mistral. Raises UserError for a combination that is no model."""

    model_type: ClassVar[str] = "mistral"
    architecture: ClassVar[str] = "MistralForCausalLM"
