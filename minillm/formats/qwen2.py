"""Qwen2s in Hugging Face's format: LLaMAs with biases of q, k and v; a window is refused where it
is switched on."""

from functools import partial

from minillm.architecture.qwen2 import Qwen2Config
from minillm.formats import llama

# What transformers' Qwen2Config takes where config.json is silent.
DEFAULTS = llama.DEFAULTS | {
    "vocab_size": 151936,
    "intermediate_size": 22016,
    "num_key_value_heads": 32,
    "max_position_embeddings": 32768,
    "use_sliding_window": False,
    "bos_token_id": None,
    "eos_token_id": None,
}
read_config = partial(llama.read_config, kind=Qwen2Config, defaults=DEFAULTS)
load_config = partial(llama.load_config, read=read_config)
MODULES, plan, to_hugging_face = llama.MODULES, llama.plan, llama.to_hugging_face
load = partial(llama.load, read=read_config)
