"""What goes between the grader and the process in which a submission runs: plain values as .npz, in frames; nothing is ever executed.

Used at both ends, and copied into the sandbox: it needs NumPy and Python's library only.

    value     None, bool, int, float, complex, str, bytes, list, tuple, dict, set, NumPy arrays and scalars, a NumPy generator
              of random numbers, dataclasses (which arrive as namespaces: the fields alone), arrays and keys of JAX,
              and handles: objects that stay where they are and are called from the other side (peer.py)
    payload   an .npz: the member `tree` is JSON in bytes, the others are the arrays that it names. Read with no pickles, no
              compression, and every size checked before memory is asked for. Where there are no arrays, the JSON alone
    frame     8 bytes of length (little-endian), the payload
"""

import base64
import dataclasses
import io
import json
import math
import types
import zipfile

import numpy as np

FRAME = 64 * 2**20         # bytes of a frame, at most
TREE = 8 * 2**20           # bytes of its JSON
DEPTH = 20                 # containers inside each other
ITEMS = 200_000            # values in all
KEYS = 20_000              # of one dict or set
EXTENSIONS = ("bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4")      # dtypes that NumPy has from ml_dtypes


class Refused(ValueError):
    """A frame or a value that is not what this file describes."""


class Handle:
    """An object of the other side. Calling it, reading an attribute and iterating happen there; it has no other abilities,
    so it is equal to nothing and cannot be turned into a number here."""

    def __init__(self, peer, number, iterator):
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_iterator", iterator)

    def __call__(self, *args, **kwargs):
        if self._peer.changeable is None:
            return self._peer.request("call", self._number, args, kwargs)
        answer, after = self._peer.request("apply", self._number, args, kwargs)
        self._peer.put_back(args, after)
        return answer

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return self._peer.request("get", self._number, name)

    def __iter__(self):
        return self if self._iterator else self._peer.request("iter", self._number)

    def __next__(self):
        more, value = self._peer.request("next", self._number)
        if not more:
            raise StopIteration
        return value

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __repr__(self):
        return "<an object>"


# ---- Values to payloads ------------------------------------------------------------------------------------------

def pack(value, keep) -> bytes:
    """The payload of a value. `keep(object)` gives the number under which an object that is not plain stays here."""
    arrays = []
    tree = json.dumps(_encode(value, arrays, keep, 0)).encode()
    if not arrays:
        return tree
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, tree=np.frombuffer(tree, np.uint8), **{f"a{i}": array for i, array in enumerate(arrays)})
    return file.getvalue()


def _encode(value, arrays, keep, depth):
    if depth > DEPTH:
        raise Refused(f"values are nested more than {DEPTH} deep")
    def inner(value):
        return _encode(value, arrays, keep, depth + 1)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.generic) and value.dtype.kind in "biufcV":
        return _array(np.asarray(value), arrays) | {"scalar": 1}
    if isinstance(value, int):
        return _whole(int(value))
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, complex):
        return {"c": [value.real, value.imag]}
    if isinstance(value, (bytes, bytearray)):
        return {"b": base64.b64encode(value).decode()}
    if isinstance(value, (list, range)):
        return {"l": [inner(item) for item in value]}
    if isinstance(value, tuple):
        return {"t": [inner(item) for item in value]}
    if isinstance(value, dict):
        return {"d": [[inner(key), inner(item)] for key, item in value.items()]}
    if isinstance(value, (set, frozenset)):
        return {"s" if isinstance(value, set) else "z": [inner(item) for item in value]}
    if isinstance(value, np.ndarray):
        return _array(value, arrays) if value.dtype.kind in "biufcV" else {"l": [inner(item) for item in value.tolist()]}
    if isinstance(value, np.random.Generator) and type(value.bit_generator) is np.random.PCG64:
        return {"rng": value.bit_generator.state}
    if isinstance(value, Handle):
        return {"back": object.__getattribute__(value, "_number")}
    if type(value).__module__.partition(".")[0] in ("jax", "jaxlib") and hasattr(value, "dtype"):
        if str(value.dtype).startswith("key<"):
            import jax
            return _array(np.asarray(jax.random.key_data(value)), arrays) | {"key": str(jax.random.key_impl(value))}
        return _array(np.asarray(value), arrays) | {"jax": 1}
    if dataclasses.is_dataclass(value) and not isinstance(value, type) or isinstance(value, types.SimpleNamespace):
        return {"n": [[str(name), inner(item)] for name, item in vars(value).items()]}
    return {"o": keep(value), "iterator": int(hasattr(value, "__next__"))}


def _whole(value: int) -> int:
    if abs(value) >= 2**1000:
        raise Refused("an integer of more than 1000 bits")
    return value


def _array(array, arrays) -> dict:
    name = array.dtype.name
    if name in EXTENSIONS:
        arrays.append(np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}").reshape(array.shape))
        return {"a": len(arrays) - 1, "as": name}
    if array.dtype.kind == "V":
        raise Refused(f"an array of {array.dtype}")
    arrays.append(np.asarray(array, array.dtype.newbyteorder("=")))
    return {"a": len(arrays) - 1}


# ---- Payloads to values ------------------------------------------------------------------------------------------

def unpack(payload: bytes, find, mine):
    """The value of a payload. `find(number, iterator)` makes a handle, `mine(number)` finds an object that came back. Raises Refused."""
    try:
        members = _read_archive(payload) if payload[:2] == b"PK" else {"tree": np.frombuffer(payload, np.uint8)}
        tree = members.pop("tree")
        if tree.dtype != np.uint8 or tree.ndim != 1 or tree.size > TREE:
            raise Refused("a tree that is none")
        reader = _Reader(members, find, mine)
        value = reader.decode(json.loads(tree.tobytes()), 0)
        if reader.items * reader.longest > 8_000_000:             # a list of them as an array would be as large as their product
            raise Refused("texts that are too long to compare")
        return value
    except Refused:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OverflowError, MemoryError, NotImplementedError,
            RuntimeError, zipfile.BadZipFile, EOFError) as error:
        raise Refused(f"not a value ({type(error).__name__})") from None


def _read_archive(payload: bytes) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        members = archive.infolist()
        if any(m.compress_type != zipfile.ZIP_STORED for m in members) or sum(m.file_size for m in members) > len(payload):
            raise Refused("an archive that is compressed, or larger than its file")
        return {member.filename.removesuffix(".npy"): _read_array(archive.read(member)) for member in members}


def _read_array(data: bytes) -> np.ndarray:
    """An array of numbers from .npy bytes; nothing is allocated that the bytes do not fill."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, fortran, dtype = header(file)
    if dtype.kind not in "biufc" or dtype.hasobject or len(shape) > 32 or any(n < 0 for n in shape):
        raise Refused(f"an array of {dtype}")
    if math.prod(shape) * dtype.itemsize != len(data) - file.tell():
        raise Refused("an array whose size is not that of its data")
    flat = np.frombuffer(data, dtype, offset=file.tell())
    return flat.reshape(shape[::-1]).T.copy() if fortran else flat.reshape(shape).copy()


class _Reader:
    """Walks one tree; counts what it makes."""

    def __init__(self, arrays, find, mine):
        self.arrays, self.find, self.mine, self.items, self.longest = arrays, find, mine, 0, 0

    def decode(self, tree, depth):
        self.items += 1
        if depth > DEPTH or self.items > ITEMS:
            raise Refused("too many values, or nested too deep")
        if tree is None or isinstance(tree, (bool, float)):
            return tree
        if isinstance(tree, int):
            return _whole(tree)
        if isinstance(tree, str):
            return self._text(tree)
        if not isinstance(tree, dict) or not tree:
            raise Refused("an unknown value")
        kind, inner = next(iter(tree)), tree[next(iter(tree))]
        if kind in "ltsz":
            values = [self.decode(item, depth + 1) for item in inner]
            if kind in "sz" and len(values) > KEYS:
                raise Refused("a set that is too large")
            return {"l": list, "t": tuple, "s": set, "z": frozenset}[kind](values)
        if kind == "d":
            if len(inner) > KEYS:
                raise Refused("a dict that is too large")
            return {self.decode(key, depth + 1): self.decode(item, depth + 1) for key, item in inner}
        if kind == "n":
            return types.SimpleNamespace(**{self._text(str(name)): self.decode(item, depth + 1) for name, item in inner})
        if kind == "b":
            return self._text(base64.b64decode(inner, validate=True))
        if kind == "c":
            return complex(float(inner[0]), float(inner[1]))
        if kind == "a":
            return self._array(tree)
        if kind == "rng":
            generator = np.random.Generator(np.random.PCG64(0))
            generator.bit_generator.state = inner
            return generator
        if kind == "o":
            return self.find(int(inner), bool(tree.get("iterator")))
        if kind == "back":
            return self.mine(int(inner))
        raise Refused("an unknown value")

    def _text(self, text):
        self.longest = max(self.longest, len(text))
        return text

    def _array(self, tree):
        array = self.arrays[f"a{int(tree['a'])}"]
        if tree.get("as"):
            if tree["as"] not in EXTENSIONS:
                raise Refused("an unknown dtype")
            import ml_dtypes
            array = array.view(getattr(ml_dtypes, tree["as"]))
        if tree.get("key"):
            import jax
            return jax.random.wrap_key_data(jax.numpy.asarray(array), impl=str(tree["key"]))
        if tree.get("jax"):
            import jax.numpy as jnp
            made = jnp.asarray(array)
            return made if made.dtype == array.dtype else array
        return array[()] if tree.get("scalar") and array.ndim == 0 else array
