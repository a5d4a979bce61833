"""Which file runs a family's models. Twin: minillm/in_numpy/family.py."""

from minillm.in_jax import bloom, model, qwen3, smollm3

MODULES = {"llama": model, "mistral": model, "qwen2": model, "qwen3": qwen3, "smollm3": smollm3,
           "bloom": bloom}


def module_of(config):
    """The file that runs a config's family: its forward, block_alone, final_norm."""
    return MODULES[config.model_type]


def forward_of(config):
    """The forward of a config's family."""
    return module_of(config).forward
