"""A model on disk: a folder in Hugging Face's format, and beside it the state of the training that made it.

    config.json  generation_config.json  tokenizer.json  tokenizer_config.json      what the model is
    model.safetensors                                                               its parameters
    training_state.safetensors                                                      everything that resuming needs

Every file is written beside its place and then renamed into it, so that a reader finds the old one or the new one,
never half of one. The training state is one file with parameters, moments and step together: whenever a run is killed,
what it resumes from belongs together.
"""

import json
import os
from contextlib import suppress
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from minillm import tokenizer as tokenizers
from minillm.config import ModelConfig, TrainConfig
from minillm.errors import UserError
from minillm.params import flatten, table, unflatten

STATE = "training_state.safetensors"
MODEL = "model.safetensors"

# Our name of a parameter -> Hugging Face's, and whether it is a matrix that Hugging Face keeps as (out, in).
NAMES = {
    "embed_tokens": ("model.embed_tokens.weight", False), "norm": ("model.norm.weight", False),
    "lm_head": ("lm_head.weight", True),
    "input_layernorm": ("input_layernorm.weight", False),
    "post_attention_layernorm": ("post_attention_layernorm.weight", False),
    **{name: (f"self_attn.{name}.weight", True) for name in ("q_proj", "k_proj", "v_proj", "o_proj")},
    **{name: (f"mlp.{name}.weight", True) for name in ("gate_proj", "up_proj", "down_proj")},
}


def hugging_face_name(path: str) -> tuple[str, bool]:
    """("layers.0.q_proj") -> ("model.layers.0.self_attn.q_proj.weight", True: transposed there)."""
    *layer, name = path.split(".")
    theirs, transposed = NAMES[name]
    return (f"model.{layer[0]}.{layer[1]}.{theirs}" if layer else theirs), transposed


def save_model(folder, config: ModelConfig, params, tokenizer=None):
    """Write a folder that `load_model` and Hugging Face's `LlamaForCausalLM.from_pretrained` open.

    Raises UserError where the folder cannot be written.
    """
    folder = make_folder(folder)
    write_json(folder / "config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "attention_bias": False, "mlp_bias": False, "attention_dropout": 0.0, "rope_scaling": None,
        "torch_dtype": "float32", "use_cache": True, **asdict(config)})
    write_json(folder / "generation_config.json", {"bos_token_id": config.bos_token_id, "do_sample": True,
                                                   "eos_token_id": config.eos_token_id, "temperature": 1.0})
    if tokenizer is not None:
        tokenizer.save(folder)
    save_params(folder, params)


def save_params(folder, params):
    """Write model.safetensors alone: float32, Hugging Face's names and orientation."""
    tensors = {}
    for path, array in flatten(params).items():
        name, transposed = hugging_face_name(path)
        tensors[name] = np.ascontiguousarray(np.asarray(array, np.float32).T if transposed else np.asarray(array, np.float32))
    write_atomically(Path(folder) / MODEL, save(tensors, metadata={"format": "pt"}))


def load_model(folder):
    """(config, params, tokenizer) of a folder that `save_model` wrote; the tokenizer is None where there is none.

    Raises UserError: a file that is missing or damaged, a tensor that is absent, unasked for, of another shape or of
    numbers that float32 does not hold exactly, a tokenizer with more tokens than the model.
    """
    folder = Path(folder)
    config = load_config(folder)
    path = folder / MODEL
    theirs = read_tensors(path, ("F32", "F16"))[0]
    if config.num_hidden_layers > len(theirs):               # a damaged number must not make a table of a billion rows
        raise UserError(f"{path}: {len(theirs)} tensors are too few for the {config.num_hidden_layers} layers "
                        "of config.json")
    leaves = {}
    for ours, parameter in flatten(table(config)).items():
        name, transposed = hugging_face_name(ours)
        if name not in theirs:
            raise UserError(f"{path}: tensor {name} is absent: the file does not belong to config.json")
        array = theirs.pop(name)
        array = array.T if transposed else array
        if array.shape != parameter.shape:
            raise UserError(f"{path}: {name} as (in, out) has shape {array.shape}, config.json says {parameter.shape}")
        leaves[ours] = np.ascontiguousarray(array, np.float32)
    if theirs:
        raise UserError(f"{path}: tensor {min(theirs)!r} is not part of the model that config.json describes")
    tokenizer = tokenizers.load(folder) if (folder / "tokenizer.json").exists() else None
    if tokenizer is not None and tokenizer.vocab_size > config.vocab_size:
        raise UserError(f"{folder / 'tokenizer.json'}: has {tokenizer.vocab_size} tokens, the model {config.vocab_size}: "
                        "the two do not belong together")
    return config, unflatten(leaves, table(config)), tokenizer


def load_config(folder) -> ModelConfig:
    """The ModelConfig in a folder's config.json, as we or transformers 4 or 5 write it.

    What Hugging Face lets a LLaMA leave out is filled in as it does: as many key/value heads as heads, head_dim =
    hidden_size // num_attention_heads. Raises UserError for anything that is not one of our models.
    """
    path = Path(folder) / "config.json"
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: there is no such folder: give a folder that `minillm pretrain --out` wrote")
    values = read_json(path)
    for name, expected in (("model_type", "llama"), ("hidden_act", "silu"), ("attention_bias", False),
                           ("mlp_bias", False)):
        if values.get(name, expected) != expected:
            raise UserError(f"{path}: {name} is {values[name]!r}: only {expected!r} is supported")
    for name in ("rope_scaling", "rope_parameters"):         # transformers 4; transformers 5, rope_theta inside
        rope = values.get(name) or {}
        if not isinstance(rope, dict) or rope.get("rope_type", rope.get("type", "default")) != "default":
            raise UserError(f"{path}: {name} is {rope!r}: only the default type is supported")
        values = values | {"rope_theta": rope["rope_theta"]} if "rope_theta" in rope else values
    if values.get("num_key_value_heads") is None:
        values["num_key_value_heads"] = values.get("num_attention_heads")
    has_head_dim = values.get("head_dim") is not None
    if not has_head_dim:
        values["head_dim"] = 2                               # until the numbers it follows from have been checked
    names = [field.name for field in fields(ModelConfig)]
    missing = [name for name in names if name not in values]
    if missing:
        raise UserError(f"{path}: {missing[0]} is missing: this is not a folder that minillm wrote")
    try:
        config = ModelConfig(**{name: values[name] for name in names})
        return config if has_head_dim else replace(config, head_dim=config.hidden_size // config.num_attention_heads)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def save_training(folder, state, config: ModelConfig, train: TrainConfig, data_fingerprint: str):
    """Write the state of a run, {"params", "moments", "step"}, with all that must be equal when it resumes."""
    metadata = {"step": str(int(state["step"])), "model": json.dumps(asdict(config)), "train": json.dumps(asdict(train)),
                "data": data_fingerprint}
    tensors = {path: np.ascontiguousarray(leaf) for path, leaf in flatten(
        {"params": state["params"], "moments": state["moments"]}).items()}
    write_atomically(Path(folder) / STATE, save(tensors, metadata=metadata))


def load_training(folder, config: ModelConfig, train: TrainConfig, data_fingerprint: str):
    """The state that `save_training` wrote, its arrays NumPy's.

    Raises UserError where there is none, where it is damaged, or where the run it belongs to had another model, other
    settings or other data: going on from it would be neither run.
    """
    path = Path(folder) / STATE
    tensors, metadata = read_tensors(path, ("F32", "F64"))
    try:
        step = int(metadata["step"])
        before = {what: dict(json.loads(metadata[what])) for what in ("model", "train")}
    except (KeyError, ValueError, TypeError):
        raise UserError(f"{path}: not a training state that minillm wrote, or a damaged one") from None
    for what, now in (("model", asdict(config)), ("train", asdict(train))):
        changed = [f"{name} ({before[what].get(name)!r} then, {now.get(name)!r} now)" for name in now | before[what]
                   if before[what].get(name) != now.get(name)]
        if changed:
            raise UserError(f"{path}: the run was started with another {', '.join(changed)}: "
                            "resume with the same, or start anew in another folder")
    if metadata.get("data") != data_fingerprint:
        raise UserError(f"{path}: the run was started with other data: "
                        "resume with the same, or start anew in another folder")
    shape = table(config)
    shape = {"params": shape, "moments": {"mean": shape, "square": shape}}
    for name, parameter in flatten(shape).items():
        if name not in tensors or tensors[name].shape != parameter.shape:
            raise UserError(f"{path}: tensor {name} is absent or has another shape: the file is damaged")
    return unflatten(tensors, shape) | {"step": step}


def read_tensors(path: Path, numbers: tuple[str, ...]) -> tuple[dict, dict]:
    """(tensors by name, metadata) of a safetensors file of these kinds of numbers ("F32" ...). Raises UserError."""
    try:
        with safe_open(path, framework="numpy") as file:
            for name in file.keys():
                kind = file.get_slice(name).get_dtype()
                if kind not in numbers:
                    raise UserError(f"{path}: tensor {name!r} holds {kind} numbers: "
                                    f"only {' and '.join(numbers)} are read")
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: not a readable safetensors file ({one_line(error)})") from None


def read_json(path: Path) -> dict:
    """The object in a JSON file. Raises UserError."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not readable as JSON ({one_line(error)})") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: holds {type(values).__name__} where an object {{...}} is needed")
    return values


def write_json(path: Path, values: dict):
    """Write an object as JSON, atomically."""
    write_atomically(path, (json.dumps(values, indent=2) + "\n").encode())


def write_atomically(path: Path, data: bytes):
    """Put `data` at `path` by writing it beside and renaming: the file is the old one or the new one. Raises UserError."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        with suppress(OSError):                              # below a file that is no folder there is nothing to remove
            beside.unlink()
        raise UserError(f"{path}: cannot be written ({one_line(error)})") from None


def make_folder(folder) -> Path:
    """The folder, made if need be. Raises UserError."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made a folder ({one_line(error)})") from None
    return Path(folder)


def one_line(error: BaseException) -> str:
    """An exception's message as at most 200 characters of one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:200]
