"""A whole model in fewer bits: rounding, GPTQ, SmoothQuant, LLM.int8(), and what they cost."""

__all__ = ["gptq", "model"]
