"""What a family of models is: its parameters, its positions, and the records of its matrices."""

__all__ = ["adapted", "adapters", "bloom", "family", "llama", "mistral", "quantized", "qwen2",
           "qwen3", "rope", "smollm3", "tree", "widened"]
