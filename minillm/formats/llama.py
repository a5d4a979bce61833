"""LLaMAs in Hugging Face's format, ours among them: config.json and safetensors, read exactly or
refused by name.

What config.json leaves out means what it means to `transformers`; what it asks for and this model
cannot do is refused. Matrices are stored as (out, in) and turned into (in, out). Rotary embedding
turns halves there as here.
"""

from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np

from minillm.architecture.family import family
from minillm.architecture.quantized import without_ours
from minillm.architecture.tree import flatten, unflatten
from minillm.config import ROPE_TYPES, ModelConfig, RopeScaling
from minillm.errors import UserError, is_count, is_number, printable
from minillm.files import read_json
from minillm.formats.weights import open_folder

# Our name of a parameter -> Hugging Face's, and whether it is a matrix that Hugging Face keeps as (out, in).
NAMES = {
    "embed_tokens": ("model.embed_tokens.weight", False), "norm": ("model.norm.weight", False),
    "lm_head": ("lm_head.weight", True),
    "input_layernorm": ("input_layernorm.weight", False),
    "post_attention_layernorm": ("post_attention_layernorm.weight", False),
    **{f"{name}_proj": (f"self_attn.{name}_proj.weight", True) for name in "qkvo"},
    **{f"{name}_bias": (f"self_attn.{name}_proj.bias", False) for name in "qkvo"},
    **{f"{name}_norm": (f"self_attn.{name}_norm.weight", False) for name in "qk"},
    **{f"{name}_proj": (f"mlp.{name}_proj.weight", True) for name in ("gate", "up", "down")},
    **{f"{name}_bias": (f"mlp.{name}_proj.bias", False) for name in ("gate", "up", "down")},
}

# What transformers' LlamaConfig takes where config.json is silent.
DEFAULTS = {"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008,
            "num_hidden_layers": 32, "num_attention_heads": 32, "max_position_embeddings": 2048,
            "rms_norm_eps": 1e-6, "tie_word_embeddings": False, "attention_bias": False,
            "mlp_bias": False, "initializer_range": 0.02, "bos_token_id": 1, "eos_token_id": 2}

EMBEDDINGS = {"model.embed_tokens.weight": "model.",
              "transformer.word_embeddings.weight": "transformer."}

# Fields that change what a model computes, and the values with which they change nothing.
NEUTRAL = {"hidden_act": ("silu", "swish"), "quantization_config": (None,),
           "compression_config": (None,), "quantization": (None,),
           "rope_interleaved": (False, None), "partial_rotary_factor": (1, None),
           "sliding_window": (None,), "use_sliding_window": (False, None), "layer_types": (None,),
           "qk_norm": (False, None), "use_qk_norm": (False, None),
           "attn_logit_softcapping": (None,), "final_logit_softcapping": (None,),
           "attention_multiplier": (None,), "embedding_multiplier": (1, None),
           "residual_multiplier": (1, None), "logits_scaling": (1, None), "num_experts": (None, 0),
           "num_local_experts": (None, 0), "is_encoder_decoder": (False, None)}

# Refused fields of which many people have a file, and what they can do.
WAYS = {
    "quantization_config": ": take the float model, or turn this one into floats with transformers (dequantize(), "
                           "save_pretrained), then minillm quantize",
    "quantization": " (MLX): take the float model, or turn this one into floats with mlx_lm.convert --dequantize",
    "num_experts": ": mixtures of experts are other models; llama.cpp runs them",
    "num_local_experts": ": mixtures of experts are other models; llama.cpp runs them",
}

# What a module of transformers takes in or gives out, as our tap; heads: the field of the config that counts them.
MODULES = (
    ("model.embed_tokens", "out", "embed", None), ("model.norm", "out", "final_norm", None),
    ("model.layers.{i}.input_layernorm", "in", "layers.{i}.resid_pre", None),
    ("model.layers.{i}.input_layernorm", "out", "layers.{i}.attn_in", None),
    ("model.layers.{i}.self_attn.q_proj", "out", "layers.{i}.q", "num_attention_heads"),
    ("model.layers.{i}.self_attn.k_proj", "out", "layers.{i}.k", "num_key_value_heads"),
    ("model.layers.{i}.self_attn.v_proj", "out", "layers.{i}.v", "num_key_value_heads"),
    ("model.layers.{i}.self_attn.o_proj", "in", "layers.{i}.z", "num_attention_heads"),
    ("model.layers.{i}.self_attn.o_proj", "out", "layers.{i}.attn_out", None),
    ("model.layers.{i}.post_attention_layernorm", "in", "layers.{i}.resid_mid", None),
    ("model.layers.{i}.post_attention_layernorm", "out", "layers.{i}.mlp_in", None),
    ("model.layers.{i}.mlp.gate_proj", "out", "layers.{i}.mlp_pre", None),
    ("model.layers.{i}.mlp.up_proj", "out", "layers.{i}.mlp_up", None),
    ("model.layers.{i}.mlp.down_proj", "in", "layers.{i}.mlp_post", None),
    ("model.layers.{i}.mlp.down_proj", "out", "layers.{i}.mlp_out", None),
    ("model.layers.{i}", "out", "layers.{i}.resid_post", None))


def load(folder, dtype=np.float32, read=None) -> tuple[ModelConfig, dict]:
    """(config, params), the matrices in `dtype`, norms and biases in float32. `read`: see
    load_config.

    Raises UserError: a file that is missing or damaged, a tensor that is absent, unasked for or of
    another shape.
    """
    config = load_config(folder, read)
    with open_folder(Path(folder)) as weights:
        places = plan(weights, config)
        leaves = {ours: weights.read(name, dtype if transposed or ours == "embed_tokens"
                                     else np.float32, transposed)
                  for ours, (name, transposed) in places.items()}
    return config, unflatten(leaves, family(config).shapes(config))


def plan(weights, config: ModelConfig) -> dict[str, tuple[str, bool]]:
    """Our name of each parameter -> the tensor's name, and whether to transpose it; every tensor is
    accounted for.

    Raises UserError, before a number is read: a tensor that is absent, unasked for or of another
    shape.
    """
    # a damaged number must not make a table of a billion rows
    if config.num_hidden_layers > len(weights.names):
        raise UserError(f"{weights.source}: {len(weights.names)} tensors are too few for the "
                        f"{config.num_hidden_layers} layers of config.json")
    weights.unwrap()
    usual_names(weights, "model.", ("embed_tokens.", "layers.", "norm."), config)
    wanted = {}
    for ours, shape in flatten(family(config).shapes(config)).items():
        name, transposed = hugging_face_name(ours)
        check_shape(weights, name, shape, transposed)
        wanted[ours] = (name, transposed)
    spare = set(weights.names) - {name for name, _ in wanted.values()}
    if config.tie_word_embeddings and "lm_head.weight" in spare:
        check_tied(weights)
        spare.discard("lm_head.weight")
    if spare:
        raise UserError(
            f"{weights.path(min(spare))}: tensor {printable(min(spare))} is not part of the "
            "model that config.json describes")
    return wanted


def usual_names(weights, prefix: str, bare: tuple[str, ...], config):
    """Put a base model's tensors under the names of the whole model, and a tied head under that of
    the embedding.

    Base models (AutoModel) leave out the prefix; save_model of safetensors.torch keeps either of
    two tied names.
    """
    if not any(name.startswith(prefix) for name in weights.names):
        for name in weights.names:
            if name.startswith(bare):
                weights.rename(name, prefix + name)
    embedding = next(name for name, ours in EMBEDDINGS.items() if ours == prefix)
    if config.tie_word_embeddings and "lm_head.weight" in weights.tensors and embedding not in weights.tensors:
        weights.rename("lm_head.weight", embedding)
    if not config.tie_word_embeddings and "lm_head.weight" not in weights.tensors and embedding in weights.tensors:
        raise UserError(f"{weights.source}: tensor lm_head.weight is absent: a base model without a head writes no text; "
                        "take the model for causal language modelling, or set tie_word_embeddings if its head is tied")


def check_shape(weights, name: str, shape, transposed: bool):
    """Refuse a tensor that is absent or has another shape than config.json says. Raises
    UserError."""
    if name not in weights.tensors:
        raise UserError(
            f"{weights.source}: tensor {name} is absent: the weights do not belong to config.json")
    found = weights.shape(name)[::-1] if transposed else weights.shape(name)
    if found != tuple(shape):
        raise UserError(f"{weights.path(name)}: {name}{' as (in, out)' if transposed else ''} has shape {found}, "
                        f"config.json says {tuple(shape)}")


def check_tied(weights):
    """Refuse a head that is stored beside the embedding it is tied to, and differs from it. Raises
    UserError."""
    name, tied = "lm_head.weight", "model.embed_tokens.weight"
    same = weights.shape(name) == weights.shape(tied) and np.array_equal(
        weights.read(name, np.float32), weights.read(tied, np.float32), equal_nan=True)
    if not same:
        raise UserError(
            f"{weights.path(name)}: {name} differs from {tied}, but config.json ties the two "
            "(tie_word_embeddings is true)")


def load_config(folder, read=None) -> ModelConfig:
    """The ModelConfig in a folder's config.json, as we or any version of transformers write it.
    Raises UserError.

    `read` makes it of the file's values (None: read_config, a LLaMA's).
    """
    path = Path(folder) / "config.json"
    if not Path(folder).is_dir():
        raise UserError(
            f"{folder}: there is no such folder: give one with config.json and model.safetensors")
    values = read_json(path)
    try:
        config = (read or read_config)(without_ours(values))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return with_end_of_text(folder, config)


def read_config(values: dict, kind: type = ModelConfig, defaults: dict = DEFAULTS) -> ModelConfig:
    """What a config.json says, as a config of this kind. Raises UserError."""
    if values.get("model_type") != kind.model_type:
        raise UserError(
            f"model_type is {printable(values.get('model_type'))}: llama, mistral, qwen2, qwen3, "
            "smollm3 and bloom are supported; transformers opens others, llama.cpp many of them as "
            "GGUF"
        )
    values = without_idle(defaults | values)
    if values.get("sliding_window") is not None and values.get("use_sliding_window") is not False:
        raise UserError(f"sliding_window is {printable(values['sliding_window'])}: not supported, "
                        "but texts up to it are the same without it: write it into "
                        "max_position_embeddings too, and the model opens")
    refuse_unknown(values, NEUTRAL)
    theta, scaling = read_rope(values)
    found = {name: values.get(name, default) for name, default in defaults.items()}
    found |= {"rope_theta": theta, "rope_scaling": scaling, "head_dim": values.get("head_dim")}
    found["num_key_value_heads"] = values.get("num_key_value_heads")
    if found["num_key_value_heads"] is None:
        found["num_key_value_heads"] = found["num_attention_heads"]
    if found["head_dim"] is None:
        sizes = found["hidden_size"], found["num_attention_heads"]
        found["head_dim"] = (sizes[0] // sizes[1]
                             if all(isinstance(size, int) and size > 0 for size in sizes) else 2)
    if not is_number(found["initializer_range"]) or found["initializer_range"] <= 0:
        # of no concern to a model that is trained
        found["initializer_range"] = DEFAULTS["initializer_range"]
    for mark in ("bos_token_id", "eos_token_id"):
        found[mark] = as_tuple(within(found[mark], found["vocab_size"]))
    names = [field.name for field in fields(kind) if field.compare]
    return kind(**{name: found[name] for name in names})


def without_idle(values: dict) -> dict:
    """config.json without fields that ask for nothing: a window switched off, as wide as the
    context or of layers that are not there; layers all full."""
    window, context = values.get("sliding_window"), values.get("max_position_embeddings",
                                                               DEFAULTS["max_position_embeddings"])
    idle = set()
    none = "sliding_window" in values and window is None
    if none or values.get("use_sliding_window") is False or is_count(window) and is_count(
        context) and window >= context:
        idle |= {"sliding_window", "use_sliding_window", "max_window_layers"}
    kinds, first, layers = (values.get(name) for name in ("layer_types", "max_window_layers",
                                                          "num_hidden_layers"))
    if values.get("use_sliding_window") is True and (
        kinds is None and is_count(first) and is_count(layers)
        and values["max_window_layers"] >= values["num_hidden_layers"]
        or isinstance(kinds, list) and set(kinds) == {"full_attention"}):   # as Qwen2 reads it
        idle |= {"sliding_window", "use_sliding_window", "max_window_layers"}
    if isinstance(kinds, list) and all(kind == "full_attention" or kind == "sliding_attention"
                                       and "sliding_window" in idle for kind in kinds):
        idle.add("layer_types")
    return {name: value for name, value in values.items() if name not in idle}


def refuse_unknown(values: dict, neutral: dict):
    """Raise UserError for a field that asks for a computation that this model does not do."""
    for name, harmless in neutral.items():
        if name in values and values[name] not in harmless:
            way = WAYS.get(name, "")
            raise UserError(
                f"{name} is {printable(values[name])}: not supported, only {harmless[0]!r} is{way}")


def read_rope(values: dict) -> tuple[float, RopeScaling | None]:
    """(rope_theta, scaling) from either layout: rope_theta and rope_scaling, or rope_parameters
    with rope_theta inside.

    As in transformers 5, rope_scaling goes first where both are there. Raises UserError.
    """
    rope = {}
    for name in ("rope_parameters", "rope_scaling"):
        if not isinstance(values.get(name) or {}, dict):
            raise UserError(f"{name} is {printable(values[name])}: it must be an object")
        rope = values.get(name) or rope
    rope = {name: value for name, value in rope.items() if value is not None}
    theta = rope.get("rope_theta", values.get("rope_theta", 10000.0))
    kind = rope.get("rope_type", rope.get("type", "default"))
    if rope.get("partial_rotary_factor", 1) != 1:
        raise UserError(f"partial_rotary_factor is {printable(rope['partial_rotary_factor'])}: not supported, only 1 is")
    if kind == "default":
        return theta, None
    if kind not in ROPE_TYPES:
        raise UserError(
            f"rope type is {printable(kind)}: default, {', '.join(ROPE_TYPES)} are supported")
    known = {field.name: rope[field.name] for field in fields(RopeScaling) if field.name in rope}
    if kind in ("llama3", "yarn"):
        known.setdefault("original_max_position_embeddings",
                         values.get("max_position_embeddings", 2048))
        if "original_max_position_embeddings" in values:  # beside the object it wins
            known["original_max_position_embeddings"] = values["original_max_position_embeddings"]
    if kind == "yarn" and "factor" not in known and is_count(
        known["original_max_position_embeddings"]):
        known["factor"] = values.get("max_position_embeddings",
                                     2048) / known["original_max_position_embeddings"]
    if "factor" not in known:
        raise UserError(f"rope_scaling of type {kind} has no factor")
    return theta, RopeScaling(**known | {"rope_type": kind})


def with_end_of_text(folder, config):
    """The config with the eos_token_id of generation_config.json, which transformers prefers.
    Raises UserError."""
    path = Path(folder) / "generation_config.json"
    ends = read_json(path).get("eos_token_id") if path.is_file() else None
    try:
        if ends is None:
            return config
        return replace(config, eos_token_id=as_tuple(within(ends, config.vocab_size)))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def within(tokens, vocab_size):
    """Without ids that the vocabulary does not have (-1 in old files): no text has those tokens."""
    def beyond(token):
        return isinstance(token, int) and is_count(vocab_size) and not 0 <= token < vocab_size

    if isinstance(tokens, list):
        return [token for token in tokens if not beyond(token)]
    return None if beyond(tokens) else tokens


def as_tuple(tokens):
    """A list of token ids as a tuple, several alike once; one alone, and None, as they are."""
    if not isinstance(tokens, list):
        return tokens
    if not all(isinstance(token, int) for token in tokens):
        raise UserError(
            f"eos_token_id is {printable(tokens)}: it must be a token id or a list of them")
    unique = tuple(dict.fromkeys(tokens))
    return unique[0] if len(unique) == 1 else unique or None


def hugging_face_name(path: str) -> tuple[str, bool]:
    """("layers.0.q_proj") -> ("model.layers.0.self_attn.q_proj.weight", True: transposed there)."""
    *layer, name = path.split(".")
    theirs, transposed = NAMES[name]
    return (f"model.{layer[0]}.{layer[1]}.{theirs}" if layer else theirs), transposed


def to_hugging_face(config: ModelConfig, params) -> tuple[dict, dict]:
    """(config.json without its number kind, tensors by name): the inverse of `load`. The arrays may
    be views."""
    values = {"architectures": [config.architecture], "model_type": config.model_type,
              "hidden_act": "silu", "attention_dropout": 0.0, "use_cache": True, **asdict(config)}
    del values["o_proj_init_gain"]                     # how training began is no part of the model
    if config.rope_scaling is not None:
        values["rope_scaling"] = {name: value for name, value in asdict(config.rope_scaling).items()
                                  if value is not None}
    names = {path: hugging_face_name(path) for path in flatten(params)}
    return values, {names[path][0]: leaf.T if names[path][1] else leaf
                    for path, leaf in flatten(params).items()}
