"""SmolLM3s in Hugging Face's format: LLaMAs in which some layers have no rotary positions; a window
is refused where it is switched on."""

from functools import partial

from minillm.architecture.smollm3 import SmolLM3Config, every
from minillm.config import ModelConfig
from minillm.errors import UserError, is_count, printable
from minillm.formats import llama

# What transformers' SmolLM3Config takes where config.json is silent.
DEFAULTS = llama.DEFAULTS | {
    "vocab_size": 128256,
    "hidden_size": 2048,
    "num_hidden_layers": 36,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "max_position_embeddings": 32768,
    "rope_theta": 2000000.0,
    "use_sliding_window": False,
    "tie_word_embeddings": True,
    "bos_token_id": 128000,
    "eos_token_id": 128001,
    "no_rope_layers": None,
    "no_rope_layer_interval": 4,
}


def read_config(values: dict) -> ModelConfig:
    """What a config.json says; no_rope_layers counts, or else no_rope_layer_interval. Raises
    UserError."""
    known = DEFAULTS | values
    layers, interval = known["no_rope_layers"], known["no_rope_layer_interval"]
    count = known["num_hidden_layers"]
    if layers is None:
        if not (is_count(interval) and is_count(count)):
            raise UserError(f"no_rope_layer_interval is {printable(interval)}, num_hidden_layers "
                            f"{printable(count)}: both must be whole numbers of at least 1")
        layers = every(interval, min(count, 10**6))       # more are refused: no file has so many
    elif isinstance(layers, list) and is_count(count):
        layers = tuple(layers[:count])                    # a list may be longer, as in transformers
    return llama.read_config(values | {"no_rope_layers": layers}, SmolLM3Config, DEFAULTS)


def to_hugging_face(config: SmolLM3Config, params) -> tuple[dict, dict]:
    """As llama.py's. transformers would take a padding token that a small vocabulary lacks."""
    values, tensors = llama.to_hugging_face(config, params)
    return values | {"pad_token_id": None}, tensors


load_config = partial(llama.load_config, read=read_config)
MODULES, plan = llama.MODULES, llama.plan
load = partial(llama.load, read=read_config)
