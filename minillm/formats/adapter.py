"""Adapters on disk, in PEFT's layout: what changes of a model, without the model.

    adapter_config.json          rank, alpha, targets, and where the base model is
    adapter_model.safetensors    of each matrix lora_A.weight (r, in) and lora_B.weight (out, r)
    base.json                    ours alone: the fingerprint of the base model

A folder that `peft` wrote opens here and the reverse. What a LoRA of `peft` may have and this one
has not (dora, trained embeddings, biases) is refused by name.
"""

from pathlib import Path

import numpy as np

from minillm.architecture.adapters import TARGETS
from minillm.architecture.tree import flatten
from minillm.errors import UserError, is_count, is_number, printable
from minillm.files import read_json, write_json
from minillm.formats import checkpoint
from minillm.formats.llama import hugging_face_name
from minillm.formats.weights import Weights

CONFIG, MODEL, BASE = "adapter_config.json", "adapter_model.safetensors", "base.json"
PARTS = {"a": "lora_A", "b": "lora_B"}
REMEDY = f"name the model that it was made from in base_model_name_or_path of {CONFIG}"
# Fields of PEFT's config that change what is computed, and the values with which they do not.
NEUTRAL = {"bias": ("none",), "fan_in_fan_out": (False,), "use_dora": (False,),
           "modules_to_save": (None, []), "rank_pattern": ({},), "alpha_pattern": ({},),
           "trainable_token_indices": (None,), "target_parameters": (None, []),
           "lora_bias": (False,), "init_lora_weights": (True, False, "gaussian")}


def is_adapter(folder: Path) -> bool:
    """Does a folder hold an adapter, and no model?"""
    return (folder / CONFIG).is_file() and not (folder / "config.json").is_file()


def tensor_name(path: str) -> str:
    """layers.0.q_proj.a -> base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight."""
    ours, part = path.rsplit(".", 1)
    return f"base_model.model.{hugging_face_name(ours)[0][:-len('weight')]}{PARTS[part]}.weight"


def save_config(folder, base: str, of: str, rank: int, alpha: float, targets: tuple[str, ...]):
    """Write all but the tensors: `base` is the path of the model, `of` its fingerprint."""
    write_json(Path(folder) / BASE, {"fingerprint": of})
    write_json(Path(folder) / CONFIG, {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base,
        "r": rank, "lora_alpha": alpha, "target_modules": list(targets), "lora_dropout": 0.0,
        "bias": "none", "fan_in_fan_out": False, "use_rslora": False, "use_dora": False,
        "inference_mode": True})


def save_adapters(folder, adapters):
    """Write adapter_model.safetensors. Raises UserError."""
    tensors = {tensor_name(path): np.ascontiguousarray(np.asarray(leaf).T)
               for path, leaf in flatten(adapters).items()}
    checkpoint.write_tensors(Path(folder) / MODEL, tensors, {"format": "pt"})


def load_config(folder) -> tuple[str, float]:
    """(the path of the base model, the scale) of an adapter. Raises UserError."""
    path = Path(folder) / CONFIG
    values = read_json(path)
    if values.get("peft_type") != "LORA":
        raise UserError(f"{path}: peft_type is {printable(values.get('peft_type'))}: only LORA is "
                        "supported; with peft, merge_and_unload() it and save_pretrained(DIR)")
    for name, neutral in NEUTRAL.items():
        if name in values and values[name] not in neutral:
            raise UserError(f"{path}: {name} is {printable(values[name])}: not supported; with "
                            "peft, merge_and_unload() it and save_pretrained(DIR)")
    rank, alpha = values.get("r"), values.get("lora_alpha")
    if not is_count(rank) or not is_number(alpha):
        raise UserError(f"{path}: r and lora_alpha must be numbers: {printable([rank, alpha])}")
    base = values.get("base_model_name_or_path")
    if not isinstance(base, str) or not Path(base).exists():
        raise UserError(f"{path}: its base model {printable(base)} is not there: put it there, or "
                        "write its path as base_model_name_or_path")
    rank, alpha = values["r"], values["lora_alpha"]
    return base, alpha / (rank**0.5 if values.get("use_rslora") else rank)


def base_fingerprint(folder) -> str | None:
    """The fingerprint of the base model, where the adapter is ours."""
    path = Path(folder) / BASE
    return read_json(path).get("fingerprint") if path.is_file() else None


def load_adapters(folder, params) -> dict:
    """The adapters of a folder for these parameters. Raises UserError where they do not fit."""
    with Weights([Path(folder) / MODEL], ("F32", "F16", "BF16")) as file:
        left, layers = set(file.names), []
        for i, layer in enumerate(params["layers"]):
            changes = {}
            for name in (name for name in TARGETS if name in layer):
                names = {part: tensor_name(f"layers.{i}.{name}.{part}") for part in PARTS}
                if not left.issuperset(names.values()):
                    continue
                (ins, outs), left = layer[name].shape, left - set(names.values())
                shapes = [file.shape(names[part]) for part in "ab"]
                if (shapes[0][1], shapes[1][0]) != (ins, outs) or shapes[0][0] != shapes[1][1]:
                    raise UserError(f"{file.source}: is for another model: {names['a']} has shape "
                                    f"{shapes[0]}, and the matrix here is ({outs}, {ins}): "
                                    f"{REMEDY}")
                changes[name] = {part: file.read(names[part], np.float32, True) for part in "ab"}
            layers.append(changes)
        if left:
            raise UserError(f"{file.source}: is for another model: {printable(min(left))} is no "
                            f"part of its base model here: {REMEDY}")
        return {"layers": layers}
