"""BLOOMs in Hugging Face's format: config.json and safetensors, read exactly or refused by name.

Queries, keys and values are one matrix there, (H, 3, E, D): head by head, first its query, then its key, then its value.
The shape of the model is in minillm/architecture/bloom.py.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from minillm.architecture.bloom import BloomConfig, table
from minillm.architecture.quantized import without_ours
from minillm.architecture.tree import flatten, unflatten
from minillm.errors import UserError, printable
from minillm.files import read_json
from minillm.formats.llama import (
    as_tuple,
    check_shape,
    refuse_unknown,
    usual_names,
    with_end_of_text,
)
from minillm.formats.weights import open_folder

# Our name of a parameter -> Hugging Face's, and whether it is a matrix that Hugging Face keeps as (out, in).
NAMES = {
    "embed_tokens": ("word_embeddings.weight", False),
    "embed_layernorm": ("word_embeddings_layernorm.weight", False),
    "embed_layernorm_bias": ("word_embeddings_layernorm.bias", False),
    "norm": ("ln_f.weight", False), "norm_bias": ("ln_f.bias", False),
    "lm_head": ("lm_head.weight", True), "input_layernorm": ("input_layernorm.weight", False),
    "input_layernorm_bias": ("input_layernorm.bias", False),
    "post_attention_layernorm": ("post_attention_layernorm.weight", False),
    "post_attention_layernorm_bias": ("post_attention_layernorm.bias", False),
    "o_proj": ("self_attention.dense.weight", True), "o_bias": ("self_attention.dense.bias", False),
    "up_proj": ("mlp.dense_h_to_4h.weight", True), "up_bias": ("mlp.dense_h_to_4h.bias", False),
    "down_proj": ("mlp.dense_4h_to_h.weight", True), "down_bias": ("mlp.dense_4h_to_h.bias", False)}
FUSED = "self_attention.query_key_value."
NEUTRAL = {"apply_residual_connection_post_layernorm": (False, None),
           "quantization_config": (None,), "compression_config": (None,),
           "is_encoder_decoder": (False, None)}

# What a module of transformers takes in or gives out, as our tap; heads: the field of the config that counts them.
MODULES = (("transformer.word_embeddings", "out", "embed", None),
           ("transformer.word_embeddings_layernorm", "out", "embed_norm", None),
           ("transformer.ln_f", "out", "final_norm", None),
           ("transformer.h.{i}.input_layernorm", "in", "layers.{i}.resid_pre", None),
           ("transformer.h.{i}.input_layernorm", "out", "layers.{i}.attn_in", None),
           ("transformer.h.{i}.self_attention.dense", "in", "layers.{i}.z", "num_attention_heads"),
           ("transformer.h.{i}.self_attention.dense", "out", "layers.{i}.attn_out", None),
           ("transformer.h.{i}.post_attention_layernorm", "in", "layers.{i}.resid_mid", None),
           ("transformer.h.{i}.post_attention_layernorm", "out", "layers.{i}.mlp_in", None),
           ("transformer.h.{i}.mlp.dense_h_to_4h", "out", "layers.{i}.mlp_up", None),
           ("transformer.h.{i}.mlp.dense_4h_to_h", "in", "layers.{i}.mlp_post", None),
           ("transformer.h.{i}.mlp.dense_4h_to_h", "out", "layers.{i}.mlp_out", None),
           ("transformer.h.{i}", "out", "layers.{i}.resid_post", None))


def load(folder, dtype=np.float32) -> tuple[BloomConfig, dict]:
    """(config, params), the matrices in `dtype`, norms and biases in float32. Raises UserError as formats/llama.py does."""
    config, leaves = load_config(folder), {}
    with open_folder(Path(folder)) as weights:
        for ours, (name, transposed) in plan(weights, config).items():
            last = ours.rpartition(".")[2]
            matrix = last.endswith("_proj") or last in ("embed_tokens", "lm_head")
            whole = weights.read(name, dtype if matrix else np.float32, transposed)
            leaves[ours] = part(whole, last, config) if FUSED in name else whole
    return config, unflatten(leaves, table(config))


def load_config(folder) -> BloomConfig:
    """The BloomConfig in a folder's config.json. Raises UserError."""
    path = Path(folder) / "config.json"
    values = read_json(path)
    try:
        config = read_config(without_ours(values))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return with_end_of_text(folder, config)


def read_config(values: dict) -> BloomConfig:
    """What a config.json says; a field left out means what it means to `transformers`. Raises UserError."""
    refuse_unknown(values, NEUTRAL)
    return BloomConfig(
        vocab_size=values.get("vocab_size", 250880),
        hidden_size=either(values, "n_embed", "hidden_size", 64),
        num_hidden_layers=either(values, "n_layer", "num_hidden_layers", 2),
        num_attention_heads=either(values, "n_head", "num_attention_heads", 8),
        max_position_embeddings=either(values, "seq_length", "max_position_embeddings", 2048),
        layer_norm_epsilon=values.get("layer_norm_epsilon", 1e-5),
        tie_word_embeddings=values.get("tie_word_embeddings", True),
        bos_token_id=values.get("bos_token_id", 1),
        eos_token_id=as_tuple(values.get("eos_token_id", 2)))


def either(values: dict, name: str, other: str, default):
    """The field under one of its two names."""
    found = [values[key] for key in (name, other) if values.get(key) is not None]
    return found[0] if found else default


def plan(weights, config: BloomConfig) -> dict[str, tuple[str, bool]]:
    """As `plan` of formats/llama.py; queries, keys and values have the same tensor. Raises UserError."""
    if config.num_hidden_layers > len(weights.names):
        raise UserError(f"{weights.source}: {len(weights.names)} tensors are too few for the "
                        f"{config.num_hidden_layers} layers of config.json")
    prefix = "transformer."
    weights.unwrap()
    usual_names(weights, prefix, ("word_embeddings", "h.", "ln_f."), config)
    wanted = {}
    for ours, shape in flatten(table(config)).items():
        *layer, last = ours.split(".")
        at = f"{prefix}h.{layer[1]}." if layer else "" if last == "lm_head" else prefix
        if last in NAMES:
            name, transposed = at + NAMES[last][0], NAMES[last][1]
        else:
            name, transposed = at + FUSED + ("weight" if last.endswith("_proj") else "bias"), True
            shape = (*shape[:-1], 3 * config.hidden_size)
        check_shape(weights, name, shape, transposed)
        wanted[ours] = (name, transposed)
    check_nothing_else(weights, config, prefix, {name for name, _ in wanted.values()})
    return wanted


def check_nothing_else(weights, config: BloomConfig, prefix: str, asked: set):
    """Refuse a tensor nobody asked for; a copy of the embedding as the head of a tied model is none. Raises UserError."""
    spare = set(weights.names) - asked
    if config.tie_word_embeddings and "lm_head.weight" in spare:
        embedding = weights.read(prefix + NAMES["embed_tokens"][0], np.float32)
        if not np.array_equal(weights.read("lm_head.weight", np.float32), embedding,
                              equal_nan=True):
            raise UserError(f"{weights.path('lm_head.weight')}: lm_head.weight differs from the embedding, but config.json "
                            "ties the two")
        spare.discard("lm_head.weight")
    if spare:
        raise UserError(f"{weights.path(min(spare))}: tensor {printable(min(spare))} is not part of the model that "
                        "config.json describes")


def part(fused, name: str, config: BloomConfig):
    """The queries', keys' or values' share of the fused matrix (D, H*3*E) or bias (H*3*E,)."""
    heads = fused.reshape(*fused.shape[:-1], config.num_attention_heads, 3, config.head_dim)
    return np.ascontiguousarray(heads[..., "qkv".index(name[0]), :]).reshape(
        *fused.shape[:-1], config.hidden_size)


def to_hugging_face(config: BloomConfig, params) -> tuple[dict, dict]:
    """(config.json without its number kind, tensors by name): the inverse of `load`."""
    values = {"architectures": ["BloomForCausalLM"], "model_type": "bloom", "use_cache": True,
              "apply_residual_connection_post_layernorm": False, **asdict(config),
              "n_layer": config.num_hidden_layers, "n_head": config.num_attention_heads,
              "seq_length": config.max_position_embeddings}
    tensors = {}
    for path, leaf in flatten(params).items():
        *layer, last = path.split(".")
        at = f"transformer.h.{layer[1]}." if layer else "" if last == "lm_head" else "transformer."
        if last in NAMES:
            name, transposed = NAMES[last]
            tensors[at + name] = leaf.T if transposed else leaf
        elif last[0] == "q":                                   # and with it k and v
            three = [params["layers"][int(layer[1])][f"{which}{last[1:]}"] for which in "qkv"]
            heads = np.stack([each.reshape(*each.shape[:-1], config.num_attention_heads, 1,
                                           config.head_dim) for each in three], -2)
            fused = heads.reshape(*three[0].shape[:-1], 3 * config.hidden_size)
            tensors[at + FUSED
                    + last.replace("q_proj", "weight").replace("q_bias", "bias")] = fused.T
    return values, tensors
