"""The tensors of safetensors files, one file or many, checked before a byte of them is used.

    file    8 bytes: length of the header; the header: JSON, name -> {dtype, shape, data_offsets}; the numbers
    index   model.safetensors.index.json: {"weight_map": {name: file}} over several such files ("shards")

The safetensors library judges the header (lengths, overlaps, holes, number kinds); what it accepts
is read here, a block of rows at a time, so that loading needs little more memory than the
parameters do. Nothing is ever unpickled.
"""

import json
import re
import struct
from contextlib import ExitStack
from math import prod
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from minillm.errors import UserError, printable
from minillm.files import read_json, refuse_stand_in

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
STORED = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I32": "<i4", "I8": "i1",
          "U8": "u1"}  # how NumPy reads the numbers of each kind
FLOATS = ("F32", "F16", "BF16", "F64")
BLOCK = 2**20                                                          # numbers read at once
# What lies beside the weights and is no part of a language model: tables of the rotary embedding,
# which config.json decides, and the value head of reinforcement learning.
BESIDE = re.compile(r"rotary_emb\.\w+$|(^|\.)v_head\.")
WRAPPERS = ("_orig_mod.", "module.")         # before every name: of torch.compile, of DataParallel


def open_folder(folder: Path, numbers: tuple[str, ...] = FLOATS) -> "Weights":
    """The weights of a Hugging Face folder. Raises UserError."""
    if (folder / SINGLE).is_file():
        return Weights([folder / SINGLE], numbers)
    if (folder / INDEX).is_file():
        return open_shards(folder, numbers)
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    if pickles:
        raise UserError(f"{folder / pickles[0]}: pickled weights can run any program, so they are never opened: convert them "
                        f"to {SINGLE} first (transformers: save_pretrained)")
    raise UserError(
        f"{folder / SINGLE}: there is no such file, and no {INDEX} either{beside(folder)}")


def beside(folder: Path) -> str:
    """What a folder without weights that can be opened holds, and what to do, as the end of a
    sentence."""
    if (folder / "adapter_config.json").is_file():
        return adapter(folder)
    shards = sorted(path.name for path in folder.glob("model-*-of-*.safetensors"))
    if len(shards) == 1 and shards[0].endswith("-of-00001.safetensors"):
        return f": {shards[0]} is the whole model: rename it to {SINGLE}"
    return (f", but {len(shards)} shards: download {INDEX} too, which says what is where"
            if shards else "")


def adapter(folder: Path) -> str:
    """Of which model an adapter is and how to merge it, as the end of a sentence."""
    try:
        base = read_json(folder / "adapter_config.json").get("base_model_name_or_path")
    except UserError:
        base = "of an unknown model"
    return (f": an adapter ({printable(base, 80)}), not a whole model: with peft, "
            "merge_and_unload() it and save_pretrained(DIR)")


def open_shards(folder: Path, numbers) -> "Weights":
    """The weights that an index spreads over several files of its folder. Raises UserError."""
    path = folder / INDEX
    places = read_json(path).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(place, str)
                                                             for place in places.values()):
        raise UserError(f"{path}: weight_map is not an object of tensor names and file names")
    shards = sorted(set(places.values()))
    for shard in shards:
        if not inside(folder, shard):
            link = Path(shard).name == shard and (folder / shard).is_symlink()
            raise UserError(f"{path}: the shard {printable(shard)} " + (
                "is a link out of this folder, to a place that is not Hugging Face's cache: copy the file itself here"
                if link else "is not a file of this folder: is the download complete?"))
    places = {name: shard for name, shard in places.items() if not BESIDE.search(name)}
    weights = Weights([folder / shard for shard in shards], numbers, path)
    for name, shard in places.items():
        if name not in weights.tensors or weights.tensors[name][0] != folder / shard:
            weights.close()
            raise UserError(
                f"{path}: tensor {printable(name)} is not in {shard}, where the index says it is")
    extra = sorted(set(weights.tensors) - set(places))
    if extra:
        weights.close()
        raise UserError(f"{weights.path(extra[0])}: tensor {printable(extra[0])} is not in {INDEX}")
    return weights


def inside(folder: Path, name: str) -> bool:
    """Is `name` a file of the folder? A link out of it is none, but for those into Hugging Face's
    own cache."""
    if name != Path(name).name or "\\" in name or "\0" in name or not (folder / name).is_file():
        return False
    home, target = folder.resolve(), (folder / name).resolve()
    blobs = target.parent.name == "blobs" and target.parent.parent.name.startswith("models--")
    return target.parent == home or home.parent.name == "snapshots" and target.parent == home.parent.parent / "blobs" or blobs


class Weights:
    """Open safetensors files: which tensors they hold, and their numbers when asked for. Close it,
    or use `with`."""

    def __init__(self, paths: list[Path], numbers: tuple[str, ...], source: Path | None = None):
        """`source`: what stands for all of them in messages.

        Raises UserError: a file that is missing or damaged, numbers of another kind, a tensor that
        two files hold.
        """
        self.source = source or paths[0]
        self.tensors, self.metadata, self._files = {}, {}, ExitStack()     # name -> (path, kind, shape, place in the file)
        self._open = {}
        try:
            for path in paths:
                self._add(path, numbers)
        except BaseException:
            self.close()
            raise

    def _add(self, path, numbers):
        try:
            with open(path, "rb") as file:
                begin = file.read(8)
            length = int.from_bytes(begin, "little")         # 640 begins as a pickle does, but its next bytes are 0
            if length > path.stat().st_size and begin[:2] in (b"PK", b"\x80\x02", b"\x80\x03",
                                                              b"\x80\x04", b"\x80\x05"):
                raise UserError(f"{path}: a pickle or a zip of pickles, not safetensors: it can run any program, "
                                "so it is never opened")
            with safe_open(path, framework="numpy") as library:
                kinds = {name: library.get_slice(name).get_dtype() for name in library.keys()
                         if not BESIDE.search(name)}
                self.metadata |= library.metadata() or {}
            file = self._files.enter_context(open(path, "rb"))
            length = struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(length))
        except UserError:
            raise
        except FileNotFoundError:
            raise UserError(f"{path}: there is no such file") from None
        except (SafetensorError, OSError, ValueError, TypeError, KeyError, RecursionError,
                struct.error) as error:
            refuse_stand_in(path)
            raise UserError(
                f"{path}: not a readable safetensors file ({printable(error)})") from None
        self._open[path] = file
        for name, kind in kinds.items():
            if kind not in numbers:
                raise UserError(f"{path}: tensor {printable(name)} holds {kind} numbers: only {' and '.join(numbers)} are read")
            if name in self.tensors:
                raise UserError(
                    f"{path}: tensor {printable(name)} is in {self.path(name).name} too")
            entry = header[name]
            self.tensors[name] = (path, kind, tuple(entry["shape"]),
                                  8 + length + entry["data_offsets"][0])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """Close the files."""
        self._files.close()

    def unwrap(self):
        """Leave out what a wrapper puts before every name."""
        for wrapper in WRAPPERS * 2:
            if self.tensors and all(name.startswith(wrapper) for name in self.tensors):
                self.tensors = {name.removeprefix(wrapper): place
                                for name, place in self.tensors.items()}

    def rename(self, name: str, other: str):
        """What the file calls `name` is `other` to us."""
        self.tensors[other] = self.tensors.pop(name)

    @property
    def names(self) -> list[str]:
        """All tensors."""
        return list(self.tensors)

    def path(self, name: str) -> Path:
        """The file that holds a tensor."""
        return self.tensors[name][0]

    def kind(self, name: str) -> str:
        """F32, F16, BF16 ..."""
        return self.tensors[name][1]

    def shape(self, name: str) -> tuple[int, ...]:
        """As it stands in the file."""
        return self.tensors[name][2]

    def read(self, name: str, dtype, transposed: bool = False) -> np.ndarray:
        """The tensor in `dtype`, its axes reversed if `transposed`, its numbers in C order."""
        path, kind, shape, place = self.tensors[name]
        array = np.empty(shape[::-1] if transposed else shape, dtype)
        rows_of = array.T if transposed else array
        if array.ndim == 0 or array.size == 0:
            return self._numbers(path, kind, place, array.size).astype(dtype).reshape(array.shape)
        width = prod(shape[1:])
        step = max(1, BLOCK // width)
        for first in range(0, shape[0], step):
            rows = min(step, shape[0] - first)
            block = self._numbers(path, kind, place
                                  + first * width * np.dtype(STORED[kind]).itemsize, rows * width)
            rows_of[first : first + rows] = block.reshape(rows, *shape[1:])
        return array

    def _numbers(self, path, kind, place, count):
        file = self._open[path]
        file.seek(place)
        numbers = np.fromfile(file, STORED[kind], count)
        if len(numbers) < count:
            raise UserError(
                f"{path}: ends in the middle of a tensor: it was changed while being read")
        if kind == "BF16":                                    # the upper half of a float32
            numbers = (numbers.astype("<u4") << 16).view("<f4")
        return numbers
