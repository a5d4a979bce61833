"""What data.py and corpora.py promise: exact splits, datasets whole or absent, batches from (seed, step)."""

import hashlib
import io
import json
import os
import pickle
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from helpers import DATA, ROOT
from minillm.config import IGNORE
from minillm.errors import UserError
from minillm.files import sha256_of
from minillm.text import corpora, dataset as data, storyworld, tokenizer as tokenizers
from minillm.text.corpora import Corpus, RemoteFile
from minillm.text.tokenizer import END_OF_TEXT

small = settings(max_examples=60, deadline=None)


class Bytes:
    """A tokenizer with nothing to learn: byte b is token b + 1, end-of-text is token 0."""

    vocab_size, special_tokens = 257, {END_OF_TEXT: 0}

    def encode(self, text):
        return [byte + 1 for byte in text.encode()]

    def save(self, path):
        path.write_text(json.dumps(type(self).__name__), encoding="utf-8")


class Characters(Bytes):
    """Characters in order of their code points, and no end-of-text."""

    special_tokens = {}

    def __init__(self, text):
        self.ids = {character: i for i, character in enumerate(sorted(set(text)))}
        self.vocab_size = len(self.ids)

    def encode(self, text):
        return [self.ids[character] for character in text]


class Wide(Bytes):
    vocab_size = 70_000

    def encode(self, text):
        return [ord(character) for character in text]


def one_line(error):
    message = str(error.value)
    assert message and "\n" not in message
    return message


def stories(count, seed=0):
    rng = random.Random(seed)
    return [f"story {i}: " + "ab cd" * rng.randrange(1, 9) for i in range(count)]


def corpus(seed=0):
    documents = stories(40, seed)
    floor_nats = [float(len(text)) for text in documents[30:]]  # one nat a byte
    return Corpus("tales", "made up", documents[:30], documents[30:], floor_nats)


# Batches ----------------------------------------------------------------------------------------------------

@small
@given(st.integers(2, 400), st.integers(1, 40), st.integers(1, 20), st.integers(0, 2**63), st.booleans(),
       st.data())
def test_a_batch_depends_on_its_arguments_alone(n, context, batch_size, seed, by_document, draw):
    context = min(context, n - 1)
    tokens = np.random.default_rng(n).integers(0, 300, n).astype(np.uint16)
    starts = np.arange(0, n - 1, 7) if by_document else None
    steps = draw.draw(st.lists(st.integers(0, 50), min_size=1, max_size=5))

    def at(step):
        return data.batch(tokens, step, seed=seed, batch_size=batch_size, context=context, starts=starts)

    first = {step: at(step) for step in steps}
    data._epoch.cache_clear()
    for step in reversed(steps):
        for array, again in zip(first[step], at(step), strict=True):
            assert array.shape == (batch_size, context) and array.dtype == np.int32
            np.testing.assert_array_equal(array, again)
        inputs, targets = first[step]
        np.testing.assert_array_equal(inputs[:, 1:], targets[:, :-1])


@small
@given(st.integers(2, 600), st.integers(1, 40), st.integers(1, 20), st.integers(0, 1000), st.integers(0, 3))
def test_an_epoch_visits_every_window_once(n, context, batch_size, seed, epoch):
    context = min(context, n - 1)
    tokens = np.arange(n, dtype=np.uint16)  # each token is its own position
    count = max(1, (n - 1) // context - 1)
    steps = range(epoch * count // batch_size, (epoch + 1) * count // batch_size + 1)
    batches = [data.batch(tokens, step, seed=seed, batch_size=batch_size, context=context) for step in steps]
    inputs, targets = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    np.testing.assert_array_equal(targets, inputs + 1)
    skip = epoch * count - steps[0] * batch_size
    begins = np.sort(inputs[skip:skip + count, 0])
    assert len(begins) == count and (np.diff(begins) == context).all()  # side by side
    assert n - count * context < 2 * context + 1  # and fewer than 2 * context targets in none
    np.testing.assert_array_equal(inputs - inputs[:, :1], np.broadcast_to(np.arange(context), inputs.shape))


def test_order_and_phase_change_with_the_epoch_and_the_seed():
    tokens, context = np.arange(6400, dtype=np.uint16), 16
    count = (len(tokens) - 1) // context - 1

    def begins(seed, epoch):
        return data.batch(tokens, epoch, seed=seed, batch_size=count, context=context)[0][:, 0]

    orders = [tuple(begins(seed, epoch)) for seed in range(3) for epoch in range(8)]
    assert len(set(orders)) == len(orders)
    phases = {min(order) for order in orders}
    assert len(phases) > 8 and max(phases) < 2 * context


@small
@given(st.lists(st.integers(1, 30), min_size=1, max_size=30), st.integers(1, 40), st.integers(1, 9),
       st.integers(0, 99))
def test_with_starts_an_epoch_begins_a_row_at_each_of_them(lengths, context, batch_size, seed):
    starts = np.cumsum([0, *lengths])[:-1]
    n = sum(lengths) + 1
    context = min(context, n - 1)
    tokens = np.arange(n, dtype=np.uint16)
    tokens[-1] = 0  # the mark that closes the file is the one that opens it
    rows = [data.batch(tokens, step, seed=seed, batch_size=batch_size, context=context, starts=starts)
            for step in range(len(starts))]  # batch_size whole epochs
    inputs, targets = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    for epoch in inputs[:, 0].reshape(batch_size, len(starts)):
        np.testing.assert_array_equal(np.sort(epoch), starts)
    np.testing.assert_array_equal(targets, (inputs + 1) % (n - 1))


def test_a_text_shorter_than_the_context_says_what_is_needed():
    tokens = np.zeros(10, np.uint16)
    with pytest.raises(UserError) as error:
        data.batch(tokens, 0, seed=0, batch_size=1, context=10)
    assert "10 tokens" in one_line(error) and "at least 11" in one_line(error)
    assert data.batch(tokens, 0, seed=0, batch_size=1, context=9)[0].shape == (1, 9)
    with pytest.raises(UserError, match="at least 2"):
        data.windows(tokens[:1], 4)


# Evaluation rows --------------------------------------------------------------------------------------------

@small
@given(st.lists(st.integers(1, 30), min_size=1, max_size=30), st.integers(1, 40))
def test_evaluation_meets_every_target_once(lengths, context):
    starts = np.cumsum([0, *lengths])[:-1]
    n = sum(lengths) + 1
    tokens = np.random.default_rng(n).permutation(n).astype(np.uint16)
    for inputs, targets in (data.windows(tokens, context), data.document_rows(tokens, starts, context)):
        assert inputs.dtype == targets.dtype == np.int32 and inputs.shape == targets.shape
        counted = targets != IGNORE
        np.testing.assert_array_equal(targets[counted], tokens[1:])
        np.testing.assert_array_equal(inputs[counted], tokens[:-1])
        assert (inputs[~counted] == 0).all()
        assert (np.sort(~counted, axis=1) == ~counted).all()  # padding only at the end of a row
    assert len(data.windows(tokens, context)[0]) == -(-(n - 1) // context)
    rows = data.row_starts(starts, n, context)
    assert set(starts) <= set(rows)
    if max(lengths) <= context:
        np.testing.assert_array_equal(rows, starts)
        np.testing.assert_array_equal(data.document_rows(tokens, starts, context)[0][:, 0], tokens[starts])


# Datasets ---------------------------------------------------------------------------------------------------

def test_a_dataset_holds_the_documents_each_opened_and_closed(tmp_path):
    made, tokenizer = corpus(), Bytes()
    dataset = data.prepare(made, tokenizer, tmp_path / "set")
    for split, tokens, starts, size in (
            (made.train, dataset.train, dataset.train_starts, dataset.train_bytes),
            (made.validation, dataset.validation, dataset.validation_starts, dataset.validation_bytes)):
        expected = [0] + [i for text in split for i in (*tokenizer.encode(text), 0)]
        np.testing.assert_array_equal(tokens, expected)
        np.testing.assert_array_equal(starts, np.flatnonzero(np.array(expected) == 0)[:-1])
        assert size == sum(map(len, split)) and tokens.dtype == np.uint16 and isinstance(tokens, np.memmap)
    np.testing.assert_array_equal(dataset.floor_nats, made.floor_nats)
    summary = data.describe(dataset)
    json.dumps(summary)
    assert summary["train"]["documents"] == 30 and summary["validation"]["tokens"] == len(dataset.validation)
    assert summary["validation"]["bytes_per_token"] == dataset.validation_bytes / len(dataset.validation)
    assert summary["floor"]["nats_per_document"] == pytest.approx(np.mean(made.floor_nats), rel=1e-12)
    assert summary["floor"]["bits_per_byte"] == pytest.approx(1 / np.log(2), rel=1e-12)


def test_the_fingerprint_tells_all_contents_apart():
    variants = [Corpus("x", "y", ["a", "b"], ["c"]), Corpus("x", "y", ["ab"], ["c"]),
                Corpus("x", "y", ["a"], ["b", "c"]),
                Corpus("x", "y", ["a", "b"], ["c"], [1.0]), Corpus("z", "y", ["a", "b"], ["c"])]
    assert len({made.fingerprint() for made in variants}) == len(variants)


def test_no_validation_token_is_in_a_training_batch(tmp_path):
    for i in range(60):
        (tmp_path / f"{i}.txt").write_text(chr(0x4E00 + i) * 20, encoding="utf-8")
    made = corpora.read_corpus(tmp_path)
    dataset = data.prepare(made, Wide(), tmp_path / ".set")
    assert dataset.train.dtype == np.uint32 and len(made.validation) == 6
    held_out = set(map(int, dataset.validation)) - {0}
    for starts in (None, dataset.train_starts):
        seen = {int(i) for step in range(80) for array in data.batch(
            dataset.train, step, seed=1, batch_size=4, context=16, starts=starts) for i in array.ravel()}
        assert len(seen) == 54 + 1 and not seen & held_out


def test_a_dataset_is_reused_only_for_the_same_corpus_and_tokenizer(tmp_path):
    folder = tmp_path / "set"
    data.prepare(corpus(), Bytes(), folder)

    def state():
        return [(path.name, path.stat().st_mtime_ns, path.stat().st_ino) for path in sorted(folder.iterdir())]

    before = state()
    data.prepare(corpus(), Bytes(), folder)
    assert state() == before
    assert data.prepare(corpus(), Wide(), folder).train.dtype == np.uint32
    assert data.prepare(corpus(seed=1), Wide(), folder).train_bytes == sum(map(len, corpus(seed=1).train))
    assert os.listdir(tmp_path) == ["set"]


def test_a_users_files_are_never_replaced(tmp_path):
    for name in ("notes.txt", "tokenizer.json"):  # the second is a name of ours, but no dataset is around it
        folder = tmp_path / name[:5]
        folder.mkdir()
        (folder / name).write_text("mine", encoding="utf-8")
        with pytest.raises(UserError, match=name):
            data.prepare(corpus(), Bytes(), folder)
        assert (folder / name).read_text(encoding="utf-8") == "mine"
    with pytest.raises(UserError) as error:
        data.prepare(corpus(), Bytes(), tmp_path / "notes" / "notes.txt")
    assert "cannot be written" in one_line(error)


CRASH = """
import os, sys
sys.path[:0] = {paths!r}
from test_data import data, np, corpus, Bytes, Path
left = {calls}
def crash(real):
    def call(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os._exit(9)  # as kill -9: nothing is cleaned up
        return real(*arguments, **options)
    return call
np.save, os.replace, Path.write_text = crash(np.save), crash(os.replace), crash(Path.write_text)
data.prepare(corpus(seed=1), Bytes(), {folder!r})
"""


@pytest.mark.parametrize("calls", [0, 3, 6, 7, 8])
def test_a_killed_write_is_never_a_dataset(tmp_path, calls):
    """At a write (0, 3), at the description (6), before the old one is moved out (7), the new one in (8)."""
    folder = tmp_path / "set"
    old = data.prepare(corpus(), Bytes(), folder).fingerprint
    paths = [str(Path(__file__).parent), str(ROOT / "tests"), str(ROOT)]
    script = CRASH.format(paths=paths, calls=calls, folder=str(folder))
    assert subprocess.run([sys.executable, "-c", script]).returncode == 9
    if calls < 8:
        assert data.open_dataset(folder).fingerprint == old
    else:
        with pytest.raises(UserError):
            data.open_dataset(folder)
    again = data.prepare(corpus(seed=1), Bytes(), folder)
    assert again.fingerprint != old and again.train_bytes == sum(map(len, corpus(seed=1).train))


@pytest.mark.parametrize("name", [data.DESCRIPTION, *data.ARRAYS])
def test_a_damaged_dataset_is_refused_in_one_line(tmp_path, name):
    folder = tmp_path / "set"
    data.prepare(corpus(), Bytes(), folder)
    path = folder / name
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-3] ^= 1
    damaged = [b"", whole[:1], whole[:len(whole) // 2], whole[:-2], b"PK\3\4" + whole, None]
    for content in damaged + [bytes(flipped), whole + b"\0"] * (name != data.DESCRIPTION):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UserError) as error:
            data.open_dataset(folder)
        assert "set" in one_line(error)
        path.write_bytes(whole)
    assert data.open_dataset(folder).name == "tales"


def hostile_arrays():
    good = np.array([0, 5, 6, 0], np.uint16)
    yield "train.npy", np.array([0, 5, 300, 0], np.uint16), "token 300"
    for wrong in (good.astype(np.float64), good.astype(np.int16), good.reshape(2, 2), good[:3], good[0]):
        yield "train.npy", wrong, "train.npy"
    for wrong in ([1], [-1], [0, 0], [0, 3, 2], [0, 4], [0, 2**60]):
        yield "train_starts.npy", np.array(wrong, np.int64), "train_starts.npy"
    yield "validation_floor.npy", np.array([1.0, 2.0, 3.0]), "validation_floor.npy"


@pytest.mark.parametrize("name, array, named", list(hostile_arrays()))
def test_arrays_with_impossible_contents_are_refused(tmp_path, name, array, named):
    counts = {"documents": array.size} if "starts" in name else {}
    hostile(tmp_path, name, lambda path: np.save(path, array), counts)
    with pytest.raises(UserError) as error:
        data.open_dataset(tmp_path / "set")
    assert named in one_line(error)


def hostile(tmp_path, name, write, counts):
    """A dataset whose file `name` was exchanged by someone who also put the recorded SHA-256 right."""
    folder = tmp_path / "set"
    made = Corpus("x", "x", [chr(4) + chr(5)], ["ab"], [1.0])
    data.prepare(made, Bytes(), folder)
    write(folder / name)
    info = json.loads((folder / data.DESCRIPTION).read_text(encoding="utf-8"))
    info["files"][name] = sha256_of(folder / name)
    info["train"] |= counts
    (folder / data.DESCRIPTION).write_text(json.dumps(info), encoding="utf-8")


def npy_header(shape):
    header = f"{{'descr': '<u2', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


@pytest.mark.parametrize("content", [
    npy_header((2**62,)), npy_header((2**63,)), npy_header((-4,)), npy_header((2**32, 2**32)),
    npy_header("(" * 60),
    b"\x93NUMPY\x02\x00" + b"\xff" * 4 + b" " * 100, pickle.dumps([0, 5]),
    npy_header((4,)).replace(b"'<u2'", b"'|O' "), npy_header((4,)) + b"\0" * 6])
def test_hostile_array_files_are_refused(tmp_path, content):
    hostile(tmp_path, "train.npy", lambda path: path.write_bytes(content), {})
    with pytest.raises(UserError) as error:
        data.open_dataset(tmp_path / "set")
    one_line(error)


@pytest.mark.parametrize("content", [
    "[]", "7", '"text"', "[" * 100_000, "{}", '{"format": "minillm dataset 2"}', "9" * 5000, "\ufeff\0"])
def test_hostile_descriptions_are_refused(tmp_path, content):
    data.prepare(corpus(), Bytes(), tmp_path / "set")
    (tmp_path / "set" / data.DESCRIPTION).write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as error:
        data.open_dataset(tmp_path / "set")
    one_line(error)


@pytest.mark.parametrize("change", [
    {"vocab_size": "257"}, {"vocab_size": 0}, {"vocab_size": True}, {"vocab_size": 1e9}, {"name": 3},
    {"train": []}, {"validation": {"documents": 10, "tokens": 1, "bytes": 1}}, {"files": {}},
    {"files": {"../x": ""}}, {"files": None}, {"format": "minillm dataset 2"}])
def test_hostile_fields_are_refused(tmp_path, change):
    data.prepare(corpus(), Bytes(), tmp_path / "set")
    path = tmp_path / "set" / data.DESCRIPTION
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(UserError) as error:
        data.open_dataset(tmp_path / "set")
    one_line(error)


def test_a_split_without_text_is_refused(tmp_path):
    data.prepare(corpus(), Bytes(), tmp_path / "set")
    path = tmp_path / "set" / data.DESCRIPTION
    info = json.loads(path.read_text(encoding="utf-8"))
    info["validation"]["bytes"] = 0  # bits per byte would divide by it
    path.write_text(json.dumps(info), encoding="utf-8")
    with pytest.raises(UserError, match="'bytes'"):
        data.open_dataset(tmp_path / "set")


def test_what_is_no_dataset_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nothing", Path(__file__)):
        with pytest.raises(UserError) as error:
            data.open_dataset(path)
        assert path.name in one_line(error)


def test_a_split_of_one_token_is_refused(tmp_path):
    with pytest.raises(UserError) as error:
        data.prepare(Corpus("bit", "x", ["abcdef"], ["g"]), Characters("abcdefg"), tmp_path / "set")
    for part in ("validation", "1 tokens", "at least 2"):
        assert part in one_line(error)
    assert not list(tmp_path.iterdir())


# Splits -----------------------------------------------------------------------------------------------------

@small
@given(st.text(min_size=2, max_size=60))
def test_one_text_is_cut_as_nanogpt_cuts_it(text):
    n = len(text)
    assert corpora.split_documents([text], 0.1, seed=3) == ([text[:int(n * 0.9)]], [text[int(n * 0.9):]])


@small
@given(st.lists(st.integers(0, 60), max_size=60), st.sampled_from([0.1, 0.25, 0.5]), st.integers(0, 5))
def test_documents_are_split_whole_and_equal_ones_alike(numbers, fraction, seed):
    documents = [f"{i} " * (i % 7 + 1) for i in [*range(20), *numbers]]
    train, validation = corpora.split_documents(documents, fraction, seed)
    assert not set(train) & set(validation) and train and validation
    assert Counter(train) + Counter(validation) == Counter(documents)
    held_out, total = sum(map(len, validation)), sum(map(len, documents))
    assert held_out <= fraction * total
    reordered = corpora.split_documents(documents[::-1], fraction, seed)
    assert set(reordered[1]) == set(validation)  # by content, not by place


def test_the_split_follows_the_seed_and_large_documents_are_cut():
    documents = stories(200)
    held_out = [frozenset(corpora.split_documents(documents, 0.1, seed)[1]) for seed in range(5)]
    assert len(set(held_out)) == 5
    books = ["a" * 1000, "b" * 500]
    assert corpora.split_documents(books, 0.1, 0) == (["a" * 900, "b" * 450], ["a" * 100, "b" * 50])


def test_a_limit_keeps_the_first_documents():
    documents = ["é" * 100, "b" * 300, "c" * 500]
    assert list(corpora.keep(documents, None)) == documents
    assert corpora.keep(documents, 0.000_999) == documents[:2]
    assert corpora.keep(documents, 0.001) == documents
    assert corpora.keep(documents, 0.000_101) == ["é" * 50]


@pytest.mark.parametrize("options, named", [
    ({"validation_fraction": 0.0}, "validation"), ({"validation_fraction": 1.5}, "validation"),
    ({"megabytes": 0}, "megabytes"), ({"megabytes": float("nan")}, "megabytes"), ({"seed": -1}, "seed")])
def test_options_out_of_range_are_refused(options, named):
    with pytest.raises(UserError) as error:
        corpora.read_corpus("python-docs", **options)
    assert named in one_line(error)


# Files and folders ------------------------------------------------------------------------------------------

def test_a_folder_is_read_in_order_and_only_its_own_text(tmp_path):
    folder, outside = tmp_path / "texts", tmp_path / "outside"
    for path, content in (
            (folder / "b.txt", b"two\r\nlines"), (folder / "a.md", b"\xef\xbb\xbfone"),
            (folder / "sub" / "c.RST", b"three"), (folder / "picture.png", b"\xff\xfe"),
            (folder / ".git" / "d.txt", b"hidden"), (folder / ".e.txt", b"hidden"), (folder / "f.txt", b""),
            (folder / "g.txt", b"\n four <|endoftext|>\nfive\n<|endoftext|>"), (outside / "s.txt", b"no")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    try:
        (folder / "link.txt").symlink_to(outside / "s.txt")
        (folder / "linked").symlink_to(outside)
        (folder / "loop").symlink_to(folder)
    except OSError:
        pass  # Windows lets only some users make links
    files = [path.relative_to(folder).as_posix() for path in corpora.text_files(folder)]
    assert files == ["a.md", "b.txt", "f.txt", "g.txt", "sub/c.RST"]
    made = corpora.read_corpus(folder, validation_fraction=0.2)
    assert sorted(made.train + made.validation) == sorted(["one", "two\nlines", "four", "five", "three"])
    assert made.floor_nats is None and made.name == "texts"


def test_one_file_is_one_text(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("x" * 50 + "é" * 50, encoding="utf-8")
    made = corpora.read_corpus(str(path))
    assert made.train == ["x" * 50 + "é" * 40] and made.validation == ["é" * 10]
    limited = corpora.read_corpus(path, megabytes=0.000_051)
    assert limited.train + limited.validation == ["x" * 45, "x" * 5]  # half a character is left out


def test_text_that_is_not_utf8_names_the_file_and_the_byte(tmp_path):
    (tmp_path / "fine.txt").write_bytes(b"fine")
    (tmp_path / "latin.txt").write_bytes("déjà".encode("latin-1"))
    with pytest.raises(UserError) as error:
        corpora.read_corpus(tmp_path)
    assert "latin.txt" in one_line(error) and "byte 1 " in one_line(error) and "--encoding" in one_line(error)


WIDE = {"a.txt": "utf-16", "b.md": "utf-16-le", "c.py": "utf-16-be", "d.json": "utf-32"}


def test_all_files_that_are_not_utf8_are_named_with_their_remedy(tmp_path):
    for name, encoding in WIDE.items():
        (tmp_path / name).write_text("a plain text", encoding=encoding)
    (tmp_path / "e.txt").write_bytes(b"caf\xe9")
    (tmp_path / "f.txt").write_text("f\u00fcnf", encoding="utf-8")
    with pytest.raises(UserError, match="5 of 6 files cannot be read") as error:
        corpora.read_corpus(tmp_path)
    for name, encoding in WIDE.items():
        mark = "UTF-32" if encoding == "utf-32" else "UTF-16"
        assert f"{name}: is {mark}, not UTF-8: add --encoding {encoding}" in one_line(error)
    assert "e.txt: byte 3" in one_line(error) and "f.txt" not in one_line(error)


def test_an_encoding_reads_what_is_not_utf8_and_leaves_the_rest(tmp_path):
    for name, encoding in WIDE.items():
        path = tmp_path / name
        path.write_text("\u5c0f\u732b, a cat\r\n", encoding=encoding, newline="")
        assert corpora.read_text(path, encoding=encoding) == "\u5c0f\u732b, a cat\n"
    (tmp_path / "e.txt").write_bytes(b"caf\xe9")
    (tmp_path / "f.txt").write_text("f\u00fcnf \u00e9", encoding="utf-8")
    assert corpora.read_texts([tmp_path / "e.txt", tmp_path / "f.txt"],
                              "latin-1") == ["caf\u00e9", "f\u00fcnf \u00e9"]
    for encoding, match in (("klingon", "no text encoding"), ("hex", "no text encoding"),
                            ("utf-32", "neither UTF-8 nor utf-32")):
        with pytest.raises(UserError, match=match) as error:
            corpora.read_corpus(tmp_path / "e.txt", encoding=encoding)
        one_line(error)


def test_a_folder_takes_every_kind_of_text_and_globs_choose(tmp_path):
    names = ["a.py", "b.rst", "c.json", "d.TXT", "e.md", "f.log", "sub/g.py", "sub/h"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"this is {name}", encoding="utf-8")

    def found(*globs):
        return [path.relative_to(tmp_path).as_posix() for path in corpora.text_files(tmp_path, globs)]

    assert found() == ["a.py", "b.rst", "c.json", "d.TXT", "e.md", "sub/g.py"]
    assert found("*.py") == ["a.py", "sub/g.py"] and found("*.log",
                                                           "sub/*") == ["f.log", "sub/g.py",
                                                                        "sub/h"]
    made = corpora.read_corpus(tmp_path, globs=("*.py", "*.log"))
    assert len(made.train + made.validation) >= 3 and "3 text files" in made.description
    for source, globs, match in ((tmp_path, ("*.xyz",), r"no file matches \*.xyz"),
                                 (tmp_path / "a.py", ("*.py",), "not a folder")):
        with pytest.raises(UserError, match=match):
            corpora.read_corpus(source, globs=globs)


def test_more_stories_than_fit_into_memory_are_refused(monkeypatch):
    monkeypatch.setattr(corpora, "machine_memory", lambda: 10**9)
    with pytest.raises(UserError, match="megabytes 2000.*1.0 GB"):
        corpora.read_corpus("storyworld", megabytes=2000)


def test_sources_that_are_not_there_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "void.txt").write_bytes(b"")
    (tmp_path / "x.txt").write_bytes(b"x")
    for source, named in (("no-such-name", "python-docs"), (tmp_path / "empty", "no text files"),
                          ("x" * 5000, "no such"), (tmp_path / "void.txt", "is empty"),
                          (tmp_path / "x.txt", "too little")):
        with pytest.raises(UserError) as error:
            corpora.read_corpus(source)
        assert named in one_line(error)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    for source in (tmp_path, tmp_path / "pipe.txt"):
        with pytest.raises(UserError):
            corpora.read_corpus(source)
    folder = data.prepare(corpus(), Bytes(), tmp_path / "set").folder
    (folder / "train.npy").unlink()
    os.mkfifo(folder / "train.npy")
    with pytest.raises(UserError, match="plain file"):
        data.open_dataset(folder)


# Downloads --------------------------------------------------------------------------------------------------

def remote(path, content=None):
    content = path.read_bytes() if content is None else content
    return RemoteFile(path.as_uri(), f"my-{path.name}", len(content), hashlib.sha256(content).hexdigest())


def test_a_download_is_kept_only_if_it_is_the_published_file(tmp_path):
    source, cache = tmp_path / "published.txt", tmp_path / "cache"
    source.write_bytes(b"to be")
    file = remote(source)
    assert corpora.fetch(file, cache).read_bytes() == b"to be"
    assert os.listdir(cache) == ["my-published.txt"]
    source.unlink()
    assert corpora.fetch(file, cache).read_bytes() == b"to be"  # from the cache
    for content in (b"to bee", b"to", b"to bE"):
        source.write_bytes(content)
        with pytest.raises(UserError) as error:
            corpora.fetch(file, tmp_path / "new")
        assert source.as_uri() in one_line(error) and os.listdir(tmp_path / "new") == []


def test_a_download_stops_when_it_is_too_long(tmp_path, monkeypatch):
    class Endless(io.RawIOBase):
        reads = 0

        def read(self, size):
            self.reads += 1
            assert self.reads < 5
            return bytes(size)

    monkeypatch.setattr(corpora.urllib.request, "urlopen", lambda url, timeout: Endless())
    with pytest.raises(UserError):
        corpora.fetch(RemoteFile("https://example.org/x", "x", 3_000_000, "0" * 64), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_put_there_by_hand_is_used_only_if_it_matches(tmp_path):
    file = remote(tmp_path / "nowhere", b"to be")
    path = tmp_path / "my-nowhere"
    path.write_bytes(b"to be")
    assert corpora.fetch(file, tmp_path) == path
    path.write_bytes(b"to bE")
    with pytest.raises(UserError) as error:
        corpora.fetch(file, tmp_path)
    assert str(path) in one_line(error) and path.read_bytes() == b"to bE"  # left alone


@pytest.mark.parametrize("name, file", [("shakespeare", "SHAKESPEARE"), ("tinystories", "TINYSTORIES_TRAIN"),
                                        ("tinystories-small", "TINYSTORIES_VALID")])
def test_offline_says_the_address_and_where_to_put_the_file(tmp_path, monkeypatch, name, file):
    def no_network(url, timeout):
        assert timeout > 0
        raise corpora.urllib.request.URLError("no route to host")

    monkeypatch.setattr(corpora.urllib.request, "urlopen", no_network)
    with pytest.raises(UserError) as error:
        corpora.read_corpus(name, data_dir=tmp_path)
    wanted = getattr(corpora, file)
    for part in (wanted.url, str(tmp_path / wanted.name), "no route to host"):
        assert part in one_line(error)


def test_tinystories_are_separate_documents(tmp_path, monkeypatch):
    for file, letter in (("TINYSTORIES_TRAIN", "t"), ("TINYSTORIES_VALID", "v")):
        path = tmp_path / file
        lines = [f"{letter} {i}\nend\n{END_OF_TEXT}" for i in range(100, 200)]
        path.write_text("\n".join(lines), encoding="utf-8", newline="\n")
        monkeypatch.setattr(corpora, file, remote(path))
    made = corpora.read_corpus("tinystories", data_dir=tmp_path)
    assert made.train == [f"t {i}\nend" for i in range(100, 200)]
    assert made.validation == [f"v {i}\nend" for i in range(100, 200)]
    part = corpora.read_corpus("tinystories", megabytes=0.001, data_dir=tmp_path)
    for split, whole, limit in ((part.train, made.train, 900), (part.validation, made.validation, 100)):
        assert split == whole[:len(split)]
        assert len(split) == limit // len(f"t 100\nend\n{END_OF_TEXT}\n")
    again = corpora.read_corpus("tinystories-small", data_dir=tmp_path)
    assert sorted(again.train + again.validation) == sorted(made.validation) and len(again.validation) == 10


# The named sources ------------------------------------------------------------------------------------------

def test_the_story_world_comes_with_its_floor(tmp_path):
    made = corpora.read_corpus("storyworld", megabytes=0.3, seed=7)
    assert not set(made.train) & set(made.validation)
    for split, wanted in ((made.train, 270_000), (made.validation, 30_000)):
        size = sum(len(text.encode()) for text in split)
        assert size - len(split[-1].encode()) < wanted <= size
    assert made.floor_nats == [-storyworld.parse(text).log_probability for text in made.validation]
    assert made.fingerprint() == corpora.read_corpus("storyworld", megabytes=0.3, seed=7).fingerprint()
    assert made.fingerprint() != corpora.read_corpus("storyworld", megabytes=0.3, seed=8).fingerprint()
    dataset = data.prepare(made, Bytes(), tmp_path / "set")
    inputs, targets = data.document_rows(dataset.validation, dataset.validation_starts, 2000)
    assert len(inputs) == len(made.validation) and (inputs[:, 0] == 0).all()
    assert ((targets == 0).sum(axis=1) == 1).all()  # every story is closed in its own row


@pytest.mark.parametrize("engine", ["written", "library"])
def test_the_real_tokenizers_fit(tmp_path, engine):
    made = corpus()
    tokenizer = tokenizers.train(made.train, 300, engine=engine)
    dataset = data.prepare(made, tokenizer, tmp_path / "set")
    assert tokenizer.decode(dataset.validation.tolist()) == END_OF_TEXT.join(["", *made.validation, ""])
    first = dataset.train[1:dataset.train_starts[1]].tolist()
    assert tokenizers.load(tmp_path / "set").encode(made.train[0]) == first


def test_python_docs_are_plenty_and_always_the_same():
    documents = list(corpora.python_docs())
    assert not any(text.startswith("test.") for text in documents)  # Python's own tests are no documentation
    assert sum(len(text.encode()) for text in documents) > 500_000 and all(documents)
    assert any("textwrap.dedent\n\nRemove any common" in text for text in documents)
    made = corpora.read_corpus("python-docs", megabytes=0.6)
    assert set(made.train + made.validation) == set(corpora.keep(documents, 0.6))
    assert not set(made.train) & set(made.validation)
    script = "from minillm.text import corpora; print(corpora.read_corpus('python-docs', megabytes=0.6).fingerprint())"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True,
                           cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": "5"})
    assert other.stdout.strip() == made.fingerprint()


@pytest.mark.skipif(not (DATA and (DATA / "tinyshakespeare.txt").is_file()), reason="no tinyshakespeare.txt at hand")
def test_shakespeare_by_characters_is_that_of_nanogpt(tmp_path):
    made = corpora.read_corpus("shakespeare", data_dir=DATA)
    tokenizer = tokenizers.train_characters(made.train + made.validation)
    dataset = data.prepare(made, tokenizer, tmp_path / "set")
    summary = data.describe(dataset)
    assert summary["vocab_size"] == 65
    assert (summary["train"]["tokens"], summary["validation"]["tokens"]) == (1_003_854, 111_540)
    assert (dataset.train_bytes, dataset.validation_bytes) == (1_003_854, 111_540)
    assert tokenizer.decode(dataset.train[:13].tolist()) == "First Citizen"
    assert tokenizer.decode(dataset.validation.tolist()) == made.validation[0]
