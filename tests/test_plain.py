"""Promise: what comes out of a sandbox is plain values or a refusal, within stated limits,
whatever its bytes are.
"""

import os
import struct
import tracemalloc
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from minillm.course import plain

VALUES = [
    None,
    True,
    3,
    -(2**200),
    1.5,
    float("inf"),
    "né\ud800",
    b"\x00\xff",
    [1, [2.0]],
    (1, "a"),
    {(1, 2): 3, "x": [None]},
    {1, 2},
    frozenset({b"a"}),
    1 + 2j,
    np.arange(6.0).reshape(2, 3),
    np.zeros((0, 3), np.int8),
    np.float32(2.5),
    np.array(True),
    np.arange(6).reshape(2, 3).T,
    [np.zeros(2), {"a": np.ones(1, np.uint64)}],
    plain.Raises("ValueError", "text", 3),
    plain.Raises("X"),
    plain.NotWritten(),
    plain.Unlike("a function"),
]


def there_and_back(value):
    return plain.read(plain.records(plain.record(value))[0])


@pytest.mark.parametrize(
    "value", VALUES, ids=lambda value: repr(value)[:30].encode("ascii", "replace").decode()
)
def test_plain_values_travel_as_they_are(value):
    back = there_and_back(value)
    assert type(back) is type(value)
    np.testing.assert_equal(back, value)
    if isinstance(value, np.ndarray):
        assert back.dtype == value.dtype


class Lazy:
    def __array__(self, dtype=None, copy=None):
        raise AssertionError("nobody asks for this")

    __float__ = __int__ = __array__


class Fields(dict):
    __getattr__ = dict.get


@pytest.mark.parametrize(
    "value, what",
    [
        (len, "function"),
        (Lazy(), "object of a class"),
        (iter([1]), "generator"),
        (np.array([object()]), "array of objects"),
        (np.array(["1.0"]), "array of text"),
        (np.array(["2020"], "M8[Y]"), "array of objects"),
        (np.zeros(1, [("a", int)]), "array of objects"),
        (object(), "object of a class"),
    ],
)
def test_what_is_not_plain_becomes_words_about_it(value, what):
    assert what in there_and_back(value).what


def test_kinds_of_what_is_plain_lose_what_they_add():
    class Array(np.ndarray):
        __eq__ = lambda self, other: True
        __hash__ = None

    class Number(float):
        __eq__ = lambda self, other: True
        __hash__ = None

    assert (
        type(there_and_back(np.zeros(2).view(Array))) is np.ndarray
        and type(there_and_back(Number(2))) is float
    )
    assert (
        type(there_and_back(Fields(a=1))) is dict
        and there_and_back(Fraction(1, 4)) == there_and_back(Decimal("0.25")) == 0.25
    )
    assert there_and_back({np.int64(3): 1, (np.int64(1), 2): 2}) == {3: 1, (1, 2): 2}
    assert there_and_back(np.zeros(1, np.longdouble)).dtype == np.float64


def test_objects_of_a_lesson_go_in_and_never_out():
    module = type(plain)("asking")
    exec("class Model:\n    def __init__(self, n): self.n = n", module.__dict__)
    data = plain.records(plain.record([module.Model(3)], inwards=True))[0]
    assert plain.read(data, module)[0].n == 3
    with pytest.raises(plain.Refused):
        plain.read(data)
    assert there_and_back(module.Model(3)) == plain.Unlike("an object of a class")


@pytest.mark.parametrize(
    "value",
    [
        10**700,
        [0] * 200_001,
        np.broadcast_to(0.0, (10**9, 10)),
        "x" * (plain.LARGEST + 1),
        np.zeros((1,) * 9),
    ],
    ids=["bits", "values", "bytes", "text", "axes"],
)
def test_what_is_too_large_is_not_read(value):
    with pytest.raises(plain.Refused):
        there_and_back(value)


def nested(n):
    value = []
    for _ in range(n):
        value = [value]
    return value


def test_depth_has_a_limit():
    assert there_and_back(nested(plain.DEPTH - 1)) and pytest.raises(
        plain.Refused, there_and_back, nested(plain.DEPTH + 1)
    )


def n(count):
    return struct.pack("<Q", count)


def number(value):
    return b"I" + n(len(b"%x" % value)) + b"%x" % value


HOSTILE = {
    "nothing": b"",
    "unknown letter": b"?",
    "too short": b"R1234",
    "left over": b"NN",
    "giant list": b"L" + n(2**60),
    "list of more than there is": b"L" + n(100) + b"N",
    "giant text": b"X" + n(2**62),
    "text that is not": b"X" + n(1) + b"\xff",
    "no number": b"I" + n(1) + b"z",
    "underscores": b"I" + n(5) + b"_" * 5,
    "long number": b"I" + n(10**6) + b"1" * 10**6,
    "deep": b"L" + n(1) + (b"L" + n(1)) * 100_000 + b"N",
    "array of objects": b"A" + n(6) + b"object" + b"\x00",
    "array without data": b"A" + n(7) + b"float64" + b"\x01" + n(5),
    "shape that wraps": b"A" + n(7) + b"float64" + b"\x02" + n(2**32) + n(2**32),
    "giant shape": b"A" + n(4) + b"int8" + b"\x03" + 3 * n(2**25),
    "many axes": b"A" + n(4) + b"int8" + b"\xff",
    "no dtype": b"A" + n(3) + b"int" + b"\x00" + bytes(8),
    "dates": b"A" + n(6) + b"M8[ns]"[:6] + b"\x00" + bytes(8),
    "scalar with axes": b"a" + n(4) + b"int8" + b"\x01" + n(0),
    "unhashable key": b"D" + n(1) + b"L" + n(0) + b"N",
    "array as key": b"S" + n(1) + b"A" + n(4) + b"int8" + b"\x00\x01",
    "too many keys": b"S" + n(2001) + b"N" * 2001,
    "keys that collide": b"S" + n(2) + number(2**61 - 1) + number(2 * (2**61 - 1)),
    "exception without text": b"E" + n(1) + b"x" + b"NN",
    "line that is text": b"E" + n(1) + b"x" + b"X" + n(0) + b"X" + n(0),
    "object": b"P" + n(3) + b"int" + b"D" + n(0),
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
def test_whatever_else_comes_is_refused(payload):
    with pytest.raises(plain.Refused):
        plain.read(payload)


def test_a_file_that_is_cut_off_or_flooded():
    whole = plain.record(1) + plain.record(2)
    assert [plain.read(r) for r in plain.records(whole[:-1])] == [1]
    for flood in (struct.pack("<Q", 2**60) + b"x", bytes(8 * 20_000)):
        with pytest.raises(plain.Refused):
            plain.records(flood)


@pytest.mark.parametrize("rounds", [3000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_noise_is_refused_or_read_in_bounded_memory(rounds):
    rng = np.random.default_rng(int(os.environ.get("FUZZ_SEED", 5)))
    good = [
        plain.record(value)[8:]
        for value in (VALUES[:20], {"a": [VALUES[20], np.zeros((3, 2))]}, [[1, 2.5, "x"]] * 5)
    ]
    letters = np.frombuffer(b"NTFIRCXBLUSZDAaEMOP", np.uint8)
    tracemalloc.start()
    for i in range(rounds):
        bad = np.frombuffer(good[i % len(good)], np.uint8).copy()
        places = rng.integers(0, len(bad), rng.integers(1, 6))
        bad[places] = (
            rng.integers(0, 256, len(places)) if i % 2 else rng.choice(letters, len(places))
        )
        if i % 5 == 0:
            bad = bad[: rng.integers(len(bad))]
        try:
            plain.read(bad.tobytes())
        except plain.Refused:
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 2**20
