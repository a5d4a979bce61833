"""What an adapter is, from its own headers and those of its base model: no weight is read."""

from math import prod
from pathlib import Path

from minillm.architecture.adapters import TARGETS
from minillm.errors import UserError
from minillm.files import read_json
from minillm.formats import adapter
from minillm.formats.weights import Weights


def describe_adapter(path: Path, describe) -> dict:
    """{"path", "format", "adapter": what it changes of which model, "refused"}.

    `describe` is asked about the base model. Whether that is the model that the adapter was made
    for is known to `minillm.load` alone, which reads its weights.
    """
    values = read_json(path / adapter.CONFIG)
    about = {name: values.get(theirs) for name, theirs in
             (("base_model", "base_model_name_or_path"), ("rank", "r"), ("alpha", "lora_alpha"))}
    description = {"path": str(path), "adapter": about, "refused": [],
                   "format": "an adapter (LoRA, in PEFT's layout), no model by itself"}
    try:
        base, about["scale"] = adapter.load_config(path)
        base = describe(base)
        about["base_parameters"] = base.get("parameters", {}).get("total")
        description["refused"] += base["refused"]
    except UserError as error:
        description["refused"].append(str(error))
    try:
        about |= _of_file(path / adapter.MODEL)
    except UserError as error:
        description["refused"].append(str(error))
    return description


def _of_file(path: Path) -> dict:
    """What adapter_model.safetensors holds. Raises UserError."""
    with Weights([path], ("F32", "F16", "BF16")) as file:
        return {"targets": [name for name in TARGETS
                            if any(f".{name}.lora_A." in each for each in file.names)],
                "matrices": len(file.names) // 2,
                "parameters": sum(prod(file.shape(name)) for name in file.names),
                "bytes": path.stat().st_size}
