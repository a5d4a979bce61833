"""The container of GGUF: metadata and tensors of one file, checked before a number is used.

    file      "GGUF", uint32 version, uint64 tensors, uint64 fields; the fields; the tensors' descriptions; the numbers
    field     its name, uint32 type, its value; a text is uint64 length and UTF-8; an array is type, uint64 count, values
    tensor    its name, uint32 axes, uint64 each (the last axis of NumPy first), uint32 kind, uint64 place of its numbers

Whatever a count or a length says, no more is read than the file holds. The numbers are blocks of
one kind; those of F32, F16, BF16, Q8_0, Q4_0 and Q4_1 are read here, those of all other kinds by
the package `gguf`. Format: github.com/ggml-org/ggml, docs/gguf.md.
"""

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from minillm.errors import UserError, missing, printable
from minillm.files import refuse_stand_in

MAGIC, VERSIONS = b"GGUF", (2, 3)
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
           12: "d"}
TEXT, ARRAY, UINT32 = 8, 9, 4
LARGEST = 2**40  # numbers in a tensor; far above any model

# kind: (its name, numbers in a block, bytes of a block)
KINDS = {0: ("F32", 1, 4), 1: ("F16", 1, 2), 30: ("BF16", 1, 2), 8: ("Q8_0", 32, 34),
         2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20)}


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies: its kind, its shape as NumPy's, and the place of its first byte."""

    kind: str
    shape: tuple[int, ...]
    place: int


class Gguf:
    """One file: `fields` by name, `tensors` by name. Raises UserError for a file that is damaged or
    of another format."""

    def __init__(self, path):
        self.path, self.source = Path(path), Path(path)
        try:
            self._bytes = np.memmap(path, np.uint8, "r")
        except (OSError, ValueError) as error:              # an empty file cannot be mapped
            raise UserError(f"{path}: cannot be read ({printable(error)})") from None
        try:
            self._read_header()
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        except (struct.error, UnicodeDecodeError, OverflowError) as error:
            raise UserError(
                f"{path}: the header is damaged or cut short ({printable(error)})") from None

    def _read_header(self):
        if bytes(self._bytes[:4]) != MAGIC:
            refuse_stand_in(self.path)
            raise UserError("not a GGUF file: it does not begin with GGUF")
        self._at = 4
        version = self._number("I")
        if version not in VERSIONS:
            big = version >> 16 and not version & 0xFFFF
            raise UserError("is a big-endian GGUF file: only little-endian ones are read" if big
                            else f"is GGUF of version {version}: versions 2 and 3 are read")
        tensors, fields = self._number("Q"), self._number("Q")
        self._fits(tensors, 24, "tensors")
        self._fits(fields, 13, "metadata fields")
        self.fields = self._distinct((self._field() for _ in range(fields)), "metadata field")
        found = self._distinct((self._tensor() for _ in range(tensors)), "tensor")
        alignment = self.fields.get("general.alignment", 32)
        if not isinstance(alignment,
                          int) or not 0 < alignment < 2**20 or alignment & (alignment - 1):
            raise UserError(
                f"general.alignment is {printable(alignment)}: it must be a power of two")
        begin, end = -(-self._at // alignment) * alignment, 0
        self.tensors = {name: self._placed(name, *about, begin, alignment)
                        for name, about in found.items()}
        for name, tensor in sorted(self.tensors.items(), key=lambda item: item[1].place):
            if tensor.place < end:
                raise UserError(f"tensor {printable(name)} overlaps the one before it")
            end = tensor.place + self._size(tensor)

    def _fits(self, count, smallest, what):
        if count * smallest > len(self._bytes) - self._at:
            raise UserError(
                f"asks for {count} {what}, more than the file can hold: it is damaged or cut short")

    def _distinct(self, pairs, what):
        found = {}
        for name, value in pairs:
            if name in found:
                raise UserError(f"{what} {printable(name)} stands there twice")
            found[name] = value
        return found

    def _number(self, letter):
        value, = struct.unpack_from(f"<{letter}", self._bytes, self._at)
        self._at += struct.calcsize(f"<{letter}")
        return value

    def _text(self):
        length = self._number("Q")
        self._fits(length, 1, "characters")
        self._at += length
        return self._bytes[self._at - length : self._at].tobytes().decode("utf-8")

    def _field(self):
        return self._text(), self._value(self._number("I"))

    def _value(self, kind):
        if kind in SCALARS:
            return self._number(SCALARS[kind])
        if kind == TEXT:
            return self._text()
        if kind != ARRAY:
            raise UserError(f"a metadata field has the type {kind}, which does not exist")
        kind, count = self._number("I"), self._number("Q")
        if kind == TEXT:
            self._fits(count, 8, "texts")
            return [self._text() for _ in range(count)]
        if kind not in SCALARS:
            raise UserError(f"a metadata field is an array of type {kind}: arrays of numbers and of texts are read")
        size = struct.calcsize(f"<{SCALARS[kind]}")
        self._fits(count, size, "numbers")
        self._at += count * size
        return self._bytes[self._at - count * size : self._at].view(
            f"<{np.dtype(SCALARS[kind]).str[1:]}").tolist()

    def _tensor(self):
        name, axes = self._text(), self._number("I")
        if not 1 <= axes <= 4:
            raise UserError(f"tensor {printable(name)} has {axes} axes: 1 to 4 are possible")
        shape = tuple(self._number("Q") for _ in range(axes))
        return name, (self._number("I"), shape[::-1], self._number("Q"))

    def _placed(self, name, number, shape, offset, begin, alignment):
        kind, width, _ = block_of(number, name)
        if min(shape) < 1 or prod(shape) > LARGEST or shape[-1] % width:
            raise UserError(f"tensor {printable(name)} has the shape {shape}, which blocks of {kind} do not fill")
        tensor = Tensor(kind, shape, begin + offset)
        if offset % alignment or tensor.place + self._size(tensor) > len(self._bytes):
            raise UserError(f"tensor {printable(name)} lies outside the file or off its alignment: "
                            "the file is damaged or cut short")
        return tensor

    def _size(self, tensor):
        _, width, size = next(block for block in blocks().values() if block[0] == tensor.kind)
        return prod(tensor.shape) // width * size

    # ---- As Weights of safetensors files do

    @property
    def names(self) -> list[str]:
        """All tensors."""
        return list(self.tensors)

    def kind(self, name: str) -> str:
        """F32, F16, Q8_0 ..."""
        return self.tensors[name].kind

    def shape(self, name: str) -> tuple[int, ...]:
        """As NumPy has it: rows are outputs."""
        return self.tensors[name].shape

    def blocks(self, name: str) -> np.ndarray:
        """The bytes of a tensor, one row for each row of numbers."""
        tensor = self.tensors[name]
        raw = self._bytes[tensor.place : tensor.place + self._size(tensor)]
        return raw.reshape(prod(tensor.shape[:-1]), -1)

    def read(self, name: str) -> np.ndarray:
        """The tensor in float32. Raises UserError where the package that knows its kind is
        missing."""
        return floats(self.blocks(name), self.kind(name)).reshape(self.shape(name))


def blocks() -> dict[int, tuple[str, int, int]]:
    """KINDS, and those that the package `gguf` knows where it is installed."""
    try:
        import gguf
    except ImportError:
        return KINDS
    return {int(kind): (kind.name, *size) for kind, size in gguf.GGML_QUANT_SIZES.items()}


def block_of(number: int, name: str) -> tuple[str, int, int]:
    """(name, numbers, bytes) of a kind of block. Raises UserError."""
    known = blocks()
    if number in known:
        return known[number]
    if known is KINDS and number < 256:
        raise missing(f"tensor {printable(name)}, whose numbers are of kind {number},", "gguf",
                      "gguf")
    raise UserError(f"tensor {printable(name)} has numbers of kind {number}, which is not known")


@np.errstate(all="ignore")  # a damaged scale is infinite: the numbers say so
def floats(raw_RB, kind: str) -> np.ndarray:
    """The numbers of rows of blocks, float32 (R, numbers). Raises UserError."""
    if kind == "F32":
        return raw_RB.view("<f4").astype(np.float32)
    if kind == "F16":
        return raw_RB.view("<f2").astype(np.float32)
    if kind == "BF16":                                       # the upper half of a float32
        return (raw_RB.view("<u2").astype("<u4") << 16).view("<f4")
    if kind in ("Q8_0", "Q4_0", "Q4_1"):
        scales_RG1, integers_RGN, lows_RG1 = groups(raw_RB, kind)
        numbers = scales_RG1.astype(np.float32) * integers_RGN + lows_RG1.astype(np.float32)
        return numbers.reshape(len(raw_RB), -1)
    import gguf

    try:
        return gguf.dequantize(raw_RB,
                               gguf.GGMLQuantizationType[kind]).astype(np.float32, copy=False)
    except NotImplementedError:
        raise UserError(
            f"its numbers are {kind}, which the gguf package cannot turn into floats") from None


def groups(raw_RB, kind: str):
    """(scales (R, G, 1), integers (R, G, 32) as int8, smallest numbers (R, G, 1) or 0) of Q8_0,
    Q4_0 or Q4_1.

    Of the 32 integers of four bits the first 16 are in the low halves of the bytes, the last 16 in
    the high halves.
    """
    size = {"Q8_0": 34, "Q4_0": 18, "Q4_1": 20}[kind]
    raw_RGB = np.ascontiguousarray(raw_RB).reshape(len(raw_RB), -1, size)
    scales_RG1 = raw_RGB[..., :2].copy().view("<f2")
    if kind == "Q8_0":
        return scales_RG1, raw_RGB[..., 2:].copy().view(np.int8), np.float16(0)
    halves_RGN = raw_RGB[..., -16:]
    integers_RGN = np.concatenate([halves_RGN & 15, halves_RGN >> 4], axis=-1).astype(np.int8)
    if kind == "Q4_0":
        return scales_RG1, integers_RGN - np.int8(8), np.float16(0)
    return scales_RG1, integers_RGN, raw_RGB[..., 2:4].copy().view("<f2")
