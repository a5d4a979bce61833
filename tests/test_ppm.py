"""Promise: benchmarks/ppm.py, the yardstick, cannot cheat: its probabilities add up to 1, and as
many bits as it says, with one more, are enough to get the text back."""

import importlib.util
from fractions import Fraction
from itertools import accumulate
from math import ceil

import numpy as np
import pytest

from helpers import ROOT

BEFORE = b"the cat sat on the mat, the dog sat on the cat. \0"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("ppm", ROOT / "benchmarks" / "ppm.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def table(ppm, contexts) -> list[Fraction]:
    """The probabilities of the 256 bytes, exactly as the floats are."""
    return [Fraction(ppm.probability(byte, contexts)[0]) for byte in range(256)]


@pytest.mark.parametrize("letters", (2, 9, 256))
def test_the_probabilities_add_up_to_one(script, letters):
    rng = np.random.default_rng(letters)
    ppm = script.PPM(order=3)
    text = bytes(rng.integers(0, letters, 3000).astype(np.uint8))
    ppm.bits(text)
    unseen = bytes(rng.integers(0, 256, 30).astype(np.uint8))
    for i in (0, 1, 2, 3, *rng.integers(4, 3000, 20), *range(3000, 3030)):
        assert abs(sum(table(ppm, ppm.contexts(text + unseen, int(i)))) - 1) < 1e-12


def test_a_text_is_decoded_from_as_many_bits(script):
    """An arithmetic coder without rounding: the text is a number inside its interval."""
    text = b"the dog sat on a hat, \xff the cat sat on the dog."
    ppm, low, width = primed(script), Fraction(0), Fraction(1)
    for i in range(len(BEFORE), len(BEFORE + text)):
        edges, byte, _ = step(ppm, BEFORE + text[: i - len(BEFORE)], text[i - len(BEFORE)])
        low, width = low + width * edges[byte], width * (edges[byte + 1] - edges[byte])
    size = ceil(sum(primed(script).bits(BEFORE + text, len(BEFORE)))) + 1
    number = Fraction(ceil(low * 2**size), 2**size)              # `size` binary digits

    ppm, found = primed(script), b""
    while len(found) < len(text):
        edges, byte, below = step(ppm, BEFORE + found, number=number)
        number, found = below, found + bytes([byte])
    assert found == text
    assert size < 4 * len(text)                                  # and it had learned something


def primed(script):
    ppm = script.PPM(order=4)
    ppm.bits(BEFORE)
    return ppm


def step(ppm, before, byte=None, number=None):
    """(where each byte's share of [0, 1) begins, the byte: given, or that of the number, where the
    number is within the byte's share). The byte is learned."""
    contexts = ppm.contexts(before, len(before))
    shares = table(ppm, contexts)
    edges = [share / sum(shares) for share in accumulate(shares, initial=Fraction(0))]
    if byte is None:
        byte = max(each for each in range(256) if edges[each] <= number)
        number = (number - edges[byte]) / (edges[byte + 1] - edges[byte])
    ppm.learn(byte, contexts[: ppm.probability(byte, contexts)[1]])
    return edges, byte, number
