"""Quantized models on disk: integers and scales in model.safetensors, the scheme in config.json.

    config.json         as Hugging Face's, with {"quantization_config": {"quant_method": "minillm", "scheme": "int8-channel", ...}}
    model.safetensors   layers.0.q_proj.integers  I8 (out, in), or U8 with two integers in a byte
                        layers.0.q_proj.scales    F32 or F16; .zeros I8 or .lows F16;
                                                  .columns I32 and .kept F32: outliers in float
                        layers.0.input_layernorm  F32, as every vector

Matrices of another scheme have it in quantization_config, {"others": {"embed_tokens": "int8-group32"}}.
Names and shapes are ours (architecture/llama.py), because no other program reads such a folder: `minillm convert` makes it float again,
`minillm export` writes GGUF. A folder of another quant_method is refused where its config is read (formats/llama.py).
"""

from pathlib import Path

import numpy as np

from minillm.architecture.family import family
from minillm.architecture.quantized import (
    GROUP,
    PARTS,
    Quantized,
    Scheme,
    read_schemes,
    scheme_of,
    write_schemes,
)
from minillm.architecture.tree import flatten, unflatten
from minillm.errors import UserError, printable
from minillm.formats.weights import open_folder

KINDS = ("F32", "F16", "I8", "U8", "I32")
STORED = {"F32": np.float32, "F16": np.float16, "I8": np.int8, "U8": np.uint8, "I32": np.int32}


def shapes(config) -> dict:
    """The tree of shapes of a config's parameters."""
    return family(config).shapes(config)


def about(params, method: str) -> dict:
    """What config.json says of quantized parameters: nothing where they are float."""
    quantized = params and scheme_of(params)
    return {"quantization_config": write_schemes(params, method)} if quantized else {}


def tensors(params) -> dict:
    """Every array by its name in the file."""
    found = {}
    for path, leaf in flatten(params).items():
        parts = {f"{path}.{name}": part for name, part in leaf.parts().items()} if isinstance(
            leaf, Quantized) else {path: leaf}
        found |= {name: np.ascontiguousarray(part) for name, part in parts.items()}
    return found


def load(folder: Path, config, values: dict):
    """(config, params) of a folder that `checkpoint.save_model` wrote, `values` being its config.json.

    Raises UserError: a tensor that is absent, unasked for, of another shape or kind; scales that are not finite and above 0.
    """
    found = schemes(folder, config, values)
    with open_folder(folder, KINDS) as weights:
        leaves = {}
        for path, parts in plan(weights, config, found).items():
            arrays = {name: weights.read(tensor, STORED[weights.kind(tensor)])
                      for name, tensor in parts.items()}
            leaves[path] = arrays[""] if "" in arrays else record(
                path, arrays, found[path], flatten(shapes(config))[path], weights)
    return config, unflatten(leaves, shapes(config))


def schemes(folder, config, values: dict) -> dict[str, Scheme]:
    """The scheme of every matrix, from a folder's config.json. Raises UserError."""
    try:
        scheme, others = read_schemes(values)
        matrices = [path for path, shape in flatten(shapes(config)).items() if len(shape) > 1]
        for path in others:
            if path not in matrices:
                raise UserError(f"quantization_config: others names {printable(path)}, which is no "
                                "matrix of the model")
    except UserError as error:
        raise UserError(f"{Path(folder) / 'config.json'}: {error}") from None
    return dict.fromkeys(matrices, scheme) | others


def plan(weights, config, schemes: dict[str, Scheme]) -> dict[str, dict[str, str]]:
    """The tensors of every parameter by part ("" of a vector), before a number is read. Raises UserError."""
    if config.num_hidden_layers > len(weights.names):
        raise UserError(f"{weights.source}: {len(weights.names)} tensors are too few for the "
                        f"{config.num_hidden_layers} layers of config.json")
    wanted = {}
    for path, shape in flatten(shapes(config)).items():
        if len(shape) == 1:
            wanted[path] = {"": path}
            check(weights, path, shape, ("F32",))
            continue
        rows, width = shape if path == "embed_tokens" else shape[::-1]
        scheme = schemes[path]
        scales = {"tensor": (1, 1), "channel": (rows, 1),
                  "group32": (rows, -(-width // GROUP))}[scheme.scale_per]
        parts = {name: f"{path}.{name}" for name in PARTS[:2 + scheme.zero_point]}
        check(weights, parts["integers"],
              *((rows, width), ("I8",)) if scheme.bits == 8 else ((rows, -(-width // 2)), ("U8",)))
        check(weights, parts["scales"], scales,
              ("F16",) if scheme.scale_dtype == "float16" else ("F32",))
        if scheme.zero_point:
            check(weights, parts["zeros"], scales, ("I8",))
        if scheme.minimum:
            parts["lows"] = f"{path}.lows"
            check(weights, parts["lows"], scales, ("F16",))
        if f"{path}.columns" in weights.tensors:
            parts |= {name: f"{path}.{name}" for name in ("columns", "kept")}
            count = (weights.shape(parts["columns"]) or (0,))[0]
            check(weights, parts["columns"], (count,), ("I32",))
            check(weights, parts["kept"], (rows, count), ("F32",))
        wanted[path] = parts
    spare = set(weights.names) - {tensor for parts in wanted.values() for tensor in parts.values()}
    if spare:
        raise UserError(f"{weights.path(min(spare))}: tensor {printable(min(spare))} is not part of the quantized model that "
                        "config.json describes")
    return wanted


def check(weights, name: str, shape, kinds):
    """Refuse a tensor that is absent, of another shape or of another kind. Raises UserError."""
    if name not in weights.tensors:
        raise UserError(
            f"{weights.source}: tensor {name} is absent: the weights do not belong to config.json")
    if weights.shape(name) != tuple(shape) or weights.kind(name) not in kinds:
        raise UserError(
            f"{weights.path(name)}: {name} is {weights.kind(name)} {weights.shape(name)}, "
            f"config.json asks for {kinds[0]} {tuple(shape)}")


def record(path: str, arrays: dict, scheme: Scheme, shape, weights) -> Quantized:
    """One matrix, its numbers checked. Raises UserError."""
    width = shape[1] if path == "embed_tokens" else shape[0]
    where = weights.path(f"{path}.scales")
    if not np.all(np.isfinite(arrays["scales"])):
        raise UserError(
            f"{where}: {path}.scales holds numbers that are not finite: the file is damaged")
    # llama.cpp gives groups of zeros the scale 0, and those of Q4_0 a sign
    if scheme.scale_per != "group32" and not np.all(arrays["scales"] > 0):
        raise UserError(
            f"{where}: {path}.scales holds numbers that are not above 0: the file is damaged")
    if scheme.minimum and not np.all(np.isfinite(arrays["lows"])):
        raise UserError(
            f"{where}: {path}.lows holds numbers that are not finite: the file is damaged")
    columns = arrays.get("columns")
    if columns is not None and not (np.all(columns >= 0) and np.all(columns < width)
                                    and np.all(np.diff(columns) > 0)):
        raise UserError(f"{where}: {path}.columns are not inputs of the matrix in rising order: the file is damaged")
    if columns is not None and not np.all(np.isfinite(arrays["kept"])):
        raise UserError(
            f"{where}: {path}.kept holds numbers that are not finite: the file is damaged")
    return Quantized(**{name: arrays.get(name) for name in PARTS}, scheme=scheme, width=width,
                     transposed=path != "embed_tokens")
