"""A run on disk, beside its model: its state in one file, and its log.

    training_state.safetensors      everything that resuming needs
    metrics.jsonl                   a line a step, and a line an evaluation

The state holds parameters, moments and step together, and is put into its place by one rename:
whenever a run is killed, what it resumes from belongs together.
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from minillm.architecture.llama import table
from minillm.architecture.tree import flatten, unflatten
from minillm.config import LAYOUT, ModelConfig, TrainConfig
from minillm.errors import UserError
from minillm.files import write_atomically
from minillm.formats.checkpoint import read_tensors, write_tensors
from minillm.formats.weights import Weights

STATE = "training_state.safetensors"
METRICS = "metrics.jsonl"
NUMBERS = ("F32", "F64")


def save_training(folder, state, config: ModelConfig, train: TrainConfig, data_fingerprint: str,
                  origin: dict | None = None, notes: dict | None = None):
    """Write the state of a run, {"params", "moments", "step"}, and all that must stay equal.

    `notes` are what else the run wants to know again; see `training_notes`.
    """
    metadata = {"step": str(int(state["step"])), "model": json.dumps(asdict(config)),
                "train": json.dumps(asdict(train)), "data": data_fingerprint}
    for name, value in (("origin", origin), ("notes", notes)):
        metadata |= {name: json.dumps(value)} if value else {}
    tensors = {path: np.ascontiguousarray(leaf) for path, leaf in flatten(
        {"params": state["params"], "moments": state["moments"]}).items()}
    write_tensors(Path(folder) / STATE, tensors, metadata)


def load_training(folder, config: ModelConfig, train: TrainConfig, data_fingerprint: str,
                  origin: dict | None = None, trained: dict | None = None):
    """The state that `save_training` wrote, its arrays NumPy's. `trained` is the tree of what is
    trained, where that is not the whole model.

    Raises UserError where there is none, where it is damaged, or where the run it belongs to had
    another model, other settings or other data: going on from it would be neither run. A setting
    that is newer than the run is no difference, nor is how devices share the work.
    """
    path = Path(folder) / STATE
    tensors, metadata = read_tensors(path, NUMBERS)
    try:
        step = int(metadata["step"])
        before = {what: dict(json.loads(metadata[what])) for what in ("model", "train")}
        before["origin"] = dict(json.loads(metadata.get("origin", "{}")))
    except (KeyError, ValueError, TypeError):
        raise UserError(
            f"{path}: not a training state that minillm wrote, or a damaged one") from None
    model, origin = json.loads(json.dumps(asdict(config))), origin or {}
    for then, now, names in ((before["model"], model, before["model"]),
                             (before["train"], asdict(train), before["train"].keys() - {*LAYOUT}),
                             (before["origin"], origin, before["origin"] or origin)):
        changed = [f"{name} ({then.get(name)!r} then, {now.get(name)!r} now)" for name in names
                   if then.get(name) != now.get(name)]
        if changed:
            raise UserError(f"{path}: the run was started with another {', '.join(changed)}: "
                            "resume with the same, or start anew in another folder")
    if metadata.get("data") != data_fingerprint:
        raise UserError(f"{path}: the run was started with other data: "
                        "resume with the same, or start anew in another folder")
    shape = trained or table(config)
    shape = {"params": shape, "moments": {"mean": shape, "square": shape}}
    for name, parameter in flatten(shape).items():
        if name not in tensors or tensors[name].shape != parameter.shape:
            raise UserError(
                f"{path}: tensor {name} is absent or has another shape: the file is damaged")
    return unflatten(tensors, shape) | {"step": step}


def training_notes(folder) -> dict:
    """The `notes` that `save_training` wrote, checked. Raises UserError where there is no state."""
    with Weights([Path(folder) / STATE], NUMBERS) as file:
        return notes_of(file.metadata)


def notes_of(metadata: dict) -> dict:
    """{"text": name, "best": {"step", "held_out"} or None} from the metadata of a training state."""
    try:
        notes = dict(json.loads(metadata.get("notes", "{}")))
        best = notes.get("best")
        return {"text": notes.get("text"),
                "best": best and {"step": int(best["step"]), "held_out": float(best["held_out"])}}
    except (ValueError, TypeError, KeyError):
        return {"text": None, "best": None}


def append_metrics(path, records: list[dict]):
    """Append JSON lines, which are in the hands of the system when this returns."""
    with open(path, "a", encoding="utf-8") as log:
        log.write("".join(json.dumps(record) + "\n" for record in records))


def read_metrics(path) -> list[dict]:
    """The records of a metrics.jsonl; a last line that a kill cut short is left out."""
    records = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


def truncate_metrics(path: Path, step: int, write: bool = True) -> list[dict]:
    """Keep and return what was logged before `step`: a run that is resumed writes the rest again."""
    records = read_metrics(path) if path.exists() else []
    before = [record for record in records if record["step"] < step]
    if write:
        write_atomically(path, "".join(json.dumps(r) + "\n" for r in before).encode())
    return before
