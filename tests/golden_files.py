"""The golden files of tests/golden/variations and activations, as the folders that users have."""

import json
from functools import cache

import numpy as np
from safetensors import safe_open

from minillm.formats.weights import Weights


@cache
def read(file):
    """(what make_variations.py noted, the expected numbers by name, the raw weights by name)."""
    with safe_open(file, framework="numpy") as opened:
        noted = json.loads(opened.metadata()["golden"])
    with Weights([file], ("F32", "F16", "BF16", "I32")) as opened:
        expected = {name: opened.read(name, np.int32 if opened.kind(name) == "I32" else np.float32)
                    for name in opened.names if name.startswith("golden.")}
        kinds = {name: (opened.kind(name), opened.read(name, np.float32)) for name in opened.names if name not in expected}
    return noted, {name.removeprefix("golden."): array for name, array in expected.items()}, kinds


def write(path, tensors: dict):
    """A safetensors file of (kind, float32 array) pairs, each stored in its kind, by hand: no library knows BF16 here."""
    header, data = {}, b""
    for name, (kind, array) in tensors.items():
        stored = {"F32": lambda: array.astype("<f4"), "F16": lambda: array.astype("<f2"),
                  "BF16": lambda: (np.ascontiguousarray(array, "<f4").view("<u4") >> 16).astype("<u2")}[kind]().tobytes()
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(stored)]}
        data += stored
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def folder_of(file, folder, shards: int = 1):
    """The golden file as the folder that a stranger would have."""
    noted, _, tensors = read(file)
    (folder / "config.json").write_text(json.dumps(noted["config"]), encoding="utf-8")
    if shards == 1:
        write(folder / "model.safetensors", tensors)
        return folder
    names = [f"model-{i + 1:05d}-of-{shards:05d}.safetensors" for i in range(shards)]
    places = {tensor: names[i % shards] for i, tensor in enumerate(tensors)}
    for name in names:
        write(folder / name, {tensor: tensors[tensor] for tensor in tensors if places[tensor] == name})
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder
