"""What a family of models is: its parameters, its positions, and the record of a quantized matrix."""

__all__ = ["bloom", "family", "llama", "quantized", "qwen3", "rope", "tree"]
