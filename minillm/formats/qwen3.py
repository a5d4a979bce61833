"""Qwen3s in Hugging Face's format: LLaMAs that normalize queries and keys; a window is refused
where it is switched on."""

from functools import partial

from minillm.architecture.qwen3 import Qwen3Config
from minillm.formats import llama, qwen2

DEFAULTS = qwen2.DEFAULTS | {"head_dim": 128}
read_config = partial(llama.read_config, kind=Qwen3Config, defaults=DEFAULTS)
load_config = partial(llama.load_config, read=read_config)
MODULES, plan, to_hugging_face = llama.MODULES, llama.plan, llama.to_hugging_face
load = partial(llama.load, read=read_config)
