"""Mistrals in Hugging Face's format: LLaMAs, but for a window that is narrower than the context,
which is refused."""

from functools import partial

from minillm.architecture.mistral import MistralConfig
from minillm.formats import llama

# What transformers' MistralConfig takes where config.json is silent.
DEFAULTS = llama.DEFAULTS | {
    "intermediate_size": 14336,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "sliding_window": 4096,
}
read_config = partial(llama.read_config, kind=MistralConfig, defaults=DEFAULTS)
load_config = partial(llama.load_config, read=read_config)
MODULES, plan, to_hugging_face = llama.MODULES, llama.plan, llama.to_hugging_face
load = partial(llama.load, read=read_config)
