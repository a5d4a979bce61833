"""Plain values as bytes: how inputs reach the process that runs an exercise, and how its answers
come back.

Needs Python and NumPy alone, since it is copied into the sandbox. A file is a row of records,
each 8 bytes of length and one value. A value is one letter and what the letter asks for:

    N T F            None, True, False          L U S Z n   list, tuple, set, frozenset of n values
    I text           int, in hexadecimal            D n         dict of n pairs
    R x  C x y       float, complex             A dtype shape bytes   array (a: NumPy scalar)
    X text  B bytes  text, bytes                    E name message line   Raises
    O text           Unlike                         M text      NotWritten
    P name dict      an object of a class of the lesson's asking.py; inwards only

`read` trusts nothing: every count, size and depth is compared with its limit and with the bytes
that are left before anything is made. No value that it makes runs code of the other side, and
nothing is ever unpickled.
"""

import struct
from dataclasses import dataclass

import numpy as np

LARGEST = 64 * 2**20  # bytes of a record
DEPTH = 16  # containers inside each other
VALUES = 200_000  # values in a record
KEYS = 2_000  # keys of one dict, members of one set
KEYS_IN_ALL = 20_000  # of a record: keys that are made to collide cost no more than this
TEXT = 2**20  # characters of a text
BITS = 2_000  # of an int
AXES = 8  # of an array
WHOLE_KEYS = 2**60  # larger integers can be chosen to collide in a dict
DTYPES = {
    name: np.dtype(name).newbyteorder("<")
    for name in (
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "complex64",
        "complex128",
    )
}


class Refused(ValueError):
    """A value that cannot travel, or bytes that hold none."""


@dataclass(frozen=True)
class Raises:
    """An answer: the call raises an exception of this name, in `line` of the reader's file."""

    name: str
    message: str = ""
    line: int | None = None


@dataclass(frozen=True)
class NotWritten:
    """An answer: there is nothing to judge yet."""

    message: str = "not written yet"


@dataclass(frozen=True)
class Unlike:
    """An answer that is no plain value, in words: "a function". It equals nothing."""

    what: str


# ---- Writing -----------------------------------------------------------------------------------


def record(value, inwards: bool = False) -> bytes:
    """One record. Raises Refused for a value that is too large or too deep; what is not plain
    becomes Unlike.

    inwards: it goes to the process that runs an exercise, and may hold objects of the lesson's
    asking.py.
    """
    out = bytearray()
    _write(value, out, 0, inwards)
    if len(out) > LARGEST:
        raise Refused(f"it has more than {LARGEST >> 20} MB")
    return struct.pack("<Q", len(out)) + out


def _text(letter: bytes, text: bytes, out: bytearray):
    out += letter + struct.pack("<Q", len(text)) + text


def _write(value, out, depth, inwards=False):
    if depth > DEPTH or len(out) > LARGEST:
        raise Refused(f"it is nested more than {DEPTH} deep" if depth > DEPTH
                      else "it is too large")
    kind = type(value)
    if value is None or kind is bool:
        out += b"N" if value is None else b"T" if value else b"F"
    elif kind in (Raises, NotWritten, Unlike):
        words = (value.name if kind is Raises else value.message if kind is NotWritten
                 else value.what)
        _text({Raises: b"E", NotWritten: b"M", Unlike: b"O"}[kind], _encoded(words[:200]), out)
        if kind is Raises:
            _write(value.message[:400], out, depth)
            _write(value.line, out, depth)
    elif kind is np.ndarray or isinstance(value, np.generic) and value.dtype.kind not in "USO":
        _write_array(value, out, depth)
    elif isinstance(value, int):
        _text(b"I", b"%x" % int(value) if int(value).bit_length() <= BITS else _too_large(), out)
    elif isinstance(value, float):
        out += b"R" + struct.pack("<d", float(value))
    elif isinstance(value, complex):
        out += b"C" + struct.pack("<dd", value.real, value.imag)
    elif isinstance(value, str):
        _text(b"X", _encoded(value), out)
    elif isinstance(value, (bytes, bytearray)):
        _text(b"B", bytes(value), out)
    elif isinstance(value, (dict, list, tuple, set, frozenset, range)):
        types = {dict: b"D", tuple: b"U", set: b"S", frozenset: b"Z"}
        out += next((letter for type, letter in types.items() if isinstance(value, type)), b"L")
        hashed = isinstance(value, (dict, set, frozenset))
        out += struct.pack("<Q", len(value))
        for item in list(value):
            _write(_key(item) if hashed else item, out, depth + 1, inwards)
            if isinstance(value, dict):
                _write(value[item], out, depth + 1, inwards)
    elif isinstance(value, np.ndarray):  # a subclass: its numbers alone
        _write_array(np.array(value, subok=False), out, depth)
    elif hasattr(value, "dtype") and kind.__module__.partition(".")[0] in ("jax", "jaxlib"):
        import jax

        key = jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key)
        _write_array(np.asarray(jax.random.key_data(value) if key else value), out, depth)
    elif kind.__module__ in ("fractions", "decimal"):
        _write(float(value), out, depth)
    elif kind.__module__ == "asking" and inwards:
        _text(b"P", kind.__name__.encode(), out)
        _write(vars(value), out, depth + 1, inwards)
    else:
        _write(Unlike(_kind_of(value)), out, depth)


def _write_array(value, out, depth):
    if value.dtype.name not in DTYPES and value.dtype.kind in "fiuV" and value.dtype.names is None:
        value = value.astype(
            np.float64 if value.dtype.kind == "f" else np.float32
        )  # longdouble; ml_dtypes
    if value.dtype.name not in DTYPES:
        return _write(Unlike(f"an array of {'text' if value.dtype.kind in 'US' else 'objects'}"),
                      out, depth)
    if value.ndim > AXES or value.nbytes > LARGEST:
        raise Refused(f"an array of {value.nbytes:,} bytes is too large")
    array = np.asarray(value)
    _text(b"a" if isinstance(value, np.generic) else b"A", array.dtype.name.encode(), out)
    out += struct.pack(f"<B{array.ndim}Q", array.ndim, *array.shape)
    out += array.astype(DTYPES[array.dtype.name], copy=False).tobytes()


def _key(value):
    """NumPy's numbers as Python's, which have the same hash."""
    return (value.item() if isinstance(value, np.generic) else tuple(map(_key, value))
            if type(value) is tuple else value)


def _encoded(text: str) -> bytes:
    return str(text).encode("utf-8", "surrogatepass")


def _too_large():
    raise Refused(f"an integer has more than {BITS} bits")


def _kind_of(value) -> str:
    if callable(value):
        return "a function or class (were the parentheses of a call forgotten?)"
    if hasattr(type(value), "__next__"):
        return "a generator or iterator (make a list of it)"
    return "an object of a class"


# ---- Reading -----------------------------------------------------------------------------------


def records(data: bytes, most: int = 10_000) -> list[bytes]:
    """The records of a file; what is not whole at its end is left out. Raises Refused."""
    found, at, data = [], 0, memoryview(data)
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        if size > LARGEST or len(found) >= most:
            raise Refused(f"a record of {size:,} bytes, or more than {most:,} records")
        if at + 8 + size > len(data):
            break
        found.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return found


def read(data, classes=None) -> object:
    """The value of a record, without its length. Raises Refused for any bytes that `record` does
    not write.

    classes: the module of the classes that a record from the trusted side may name.
    """
    reader = _Reader(memoryview(data), classes)
    try:
        value = reader.value(0)
    except (ValueError, OverflowError, TypeError) as error:
        raise (error if isinstance(error, Refused)
               else Refused(f"{type(error).__name__} in a value")) from None
    if reader.at != len(reader.data):
        raise Refused("bytes are left over")
    return value


class _Reader:
    def __init__(self, data, classes=None):
        self.classes = classes
        if len(data) > LARGEST:
            raise Refused("the record is too large")
        self.data, self.at, self.values, self.keys = data, 0, VALUES, KEYS_IN_ALL

    def take(self, size: int) -> memoryview:
        if size > len(self.data) - self.at:
            raise Refused("the record ends too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def count(self, most: int) -> int:
        count = int.from_bytes(self.take(8), "little")
        if count > most:
            raise Refused(f"{count:,} where at most {most:,} are allowed")
        return count

    def text(self, most: int) -> str:
        return str(self.take(self.count(most)), "utf-8", "surrogatepass")

    def items(self, each: int, depth: int) -> list:
        """n times `each` values, as a flat list; each takes at least one byte."""
        count = self.count(min(self.values, len(self.data) - self.at) // each)
        return [self.value(depth + 1) for _ in range(each * count)]

    def hashed(self, keys: list) -> list:
        self.keys -= len(keys)
        if len(keys) > KEYS or self.keys < 0:
            raise Refused(f"a dict or set of more than {KEYS:,}")
        for key in keys:
            if not _is_key(key):
                raise Refused("a key that is not text, a whole number or a tuple of those")
        return keys

    def value(self, depth: int):
        self.values -= 1
        if self.values < 0 or depth > DEPTH:
            raise Refused("too many values" if self.values < 0 else "too deep")
        letter = bytes(self.take(1))
        if letter in b"NTF":
            return {b"N": None, b"T": True, b"F": False}[letter]
        if letter == b"I":
            return int(self.text(BITS // 4 + 2), 16)
        if letter == b"R":
            return struct.unpack("<d", self.take(8))[0]
        if letter == b"C":
            return complex(*struct.unpack("<dd", self.take(16)))
        if letter == b"X":
            return self.text(TEXT)
        if letter == b"B":
            return bytes(self.take(self.count(LARGEST)))
        if letter in b"LU":
            return (list if letter == b"L" else tuple)(self.items(1, depth))
        if letter in b"SZ":
            return (set if letter == b"S" else frozenset)(self.hashed(self.items(1, depth)))
        if letter == b"D":
            flat = self.items(2, depth)
            return dict(zip(self.hashed(flat[::2]), flat[1::2]))
        if letter in b"Aa":
            return self.array(letter)
        if letter == b"E":
            name, message, line = self.text(800), self.value(depth), self.value(depth)
            if not isinstance(message, str) or type(line) not in (int, type(None)):
                raise Refused("an exception that is none")
            return Raises(name, message, line)
        if letter in b"MO":
            return (NotWritten if letter == b"M" else Unlike)(self.text(800))
        if letter == b"P" and self.classes is not None:
            instance = object.__new__(getattr(self.classes, self.text(100)))
            vars(instance).update(self.value(depth + 1))
            return instance
        raise Refused("a letter that stands for nothing")

    def array(self, letter):
        dtype = DTYPES.get(self.text(20))
        axes = self.take(1)[0]
        if dtype is None or axes > AXES or letter == b"a" and axes:
            raise Refused("an array of another kind")
        shape, size = [self.count(LARGEST) for _ in range(axes)], dtype.itemsize
        for n in shape:
            size *= n  # Python's integers do not wrap
        array = np.frombuffer(self.take(size), dtype).astype(dtype.newbyteorder("=")).reshape(shape)
        if dtype.kind == "b":
            array = np.asarray(array.view(np.uint8) != 0)  # other bytes than 0 and 1 are no bool
        return array[()] if letter == b"a" else array


def _is_key(key) -> bool:
    if type(key) is tuple:
        return len(key) <= 8 and all(map(_is_key, key))
    return (key is None or type(key) in (str, bytes, bool, float) or type(key) is int
            and abs(key) < WHOLE_KEYS)
