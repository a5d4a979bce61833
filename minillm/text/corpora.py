"""Where text comes from: a name or a path in, training and validation documents out.

`read_corpus` is the front door. Documents are whole texts (a story, a file, the docstrings of one module) and
the two splits never share one. Files that a name downloads are pinned by size and SHA-256.
"""

import ast
import codecs
import hashlib
import importlib
import math
import os
import sys
import sysconfig
import tempfile
import urllib.request
import warnings
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from http.client import HTTPException
from pathlib import Path

from minillm.errors import UserError
from minillm.files import gigabytes, machine_memory, sha256_of
from minillm.text import storyworld
from minillm.text.tokenizer import (
    END_OF_TEXT,  # also the customary mark between two documents of a text file
)

# What a folder is searched for without --glob: prose, markup, data that is text, source code.
TEXT_SUFFIXES = tuple("." + name for name in (
    "txt text md markdown rst tex org adoc srt html htm xml json jsonl yaml yml toml ini csv tsv "
    "sql py pyi js ts jsx tsx css c h cc cpp hpp cs java kt go rs rb php pl lua r jl scala swift "
    "hs ml lisp el sh").split())
STORYWORLD_MEGABYTES = 10.0


@dataclass(frozen=True)
class Corpus:
    """Documents (never empty) to learn from and to hold out.

    `floor_nats[i]` is the exact -log p of `validation[i]` in nats; None where that is unknown.
    """

    name: str
    description: str
    train: list[str]
    validation: list[str]
    floor_nats: list[float] | None = None

    def fingerprint(self) -> str:
        """SHA-256 of all that a dataset is made from, as hexadecimal digits."""
        digest = hashlib.sha256(repr((self.name, self.description, self.floor_nats)).encode())
        for documents in (self.train, self.validation):
            for text in documents:
                raw = text.encode()
                digest.update(len(raw).to_bytes(8, "little") + raw)  # with lengths no boundary is ambiguous
            digest.update(b"end of split")
        return digest.hexdigest()


@dataclass(frozen=True)
class RemoteFile:
    """A file of the public web that never changes: address, name in our cache, number of bytes, SHA-256."""

    url: str
    name: str
    size: int
    sha256: str


SHAKESPEARE = RemoteFile(
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    "tinyshakespeare.txt",
    1_115_394, "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed")
# Eldan and Li 2023, arXiv:2305.07759. The revision is in the address: it cannot move under the checksum.
_TINYSTORIES = ("https://huggingface.co/datasets/roneneldan/TinyStories/resolve/"
                "f54c09fd23315a6f9c86f9dc80f725de7d8f9c64/")
TINYSTORIES_TRAIN = RemoteFile(
    _TINYSTORIES + "TinyStoriesV2-GPT4-train.txt", "TinyStoriesV2-GPT4-train.txt",
    2_227_753_162, "6418d412de72888f52b5142c761ac21a582f7d1166f0bfbdb5f03ccfdec90443")
TINYSTORIES_VALID = RemoteFile(
    _TINYSTORIES + "TinyStoriesV2-GPT4-valid.txt", "TinyStoriesV2-GPT4-valid.txt",
    22_502_601, "6874bae9a4c1a4e7edcf0e53b86c17817e9cf881fc75ff2368da457b80c0585d")


def read_corpus(source, *, megabytes=None, seed=0, validation_fraction=0.1, data_dir=None, globs=(),
                encoding=None) -> Corpus:
    """The documents of a named source, or of a text file or folder, in two disjoint splits.

    `megabytes` (10^6 bytes) limits the text, both splits together; None means all of it, or
    `STORYWORLD_MEGABYTES` of the endless story world. `validation_fraction` is the held-out part; `seed`
    picks the stories, or which documents are held out. `data_dir` holds downloads (None: `cache_folder()`).
    `globs` are patterns such as "*.py" that choose the files of a folder; `encoding` is that of
    the files that are not UTF-8. Raises UserError: unknown source, option out of range, unreadable
    file, no network, too little text.
    """
    if not 0 < validation_fraction < 1:
        raise UserError(
            f"validation fraction {validation_fraction}: must be between 0 and 1, such as 0.1")
    if megabytes is not None and not 0 < megabytes < math.inf:
        raise UserError(f"megabytes {megabytes}: must be a number above 0")
    if seed < 0:
        raise UserError(f"seed {seed}: must be 0 or more")
    check_encoding(encoding)
    if globs and not os.path.isdir(source):
        raise UserError(f"{source}: --glob chooses files of a folder, and this is not a folder: "
                        f"leave --glob out")
    read = SOURCES.get(str(source)) or partial(_from_path, globs=globs, encoding=encoding)
    folder = Path(data_dir) if data_dir else cache_folder()
    corpus = read(str(source), megabytes, seed, validation_fraction, folder)
    for split in ("train", "validation"):
        if not getattr(corpus, split):
            raise UserError(f"{source}: too little text: nothing is left for the {split} split; "
                            "use a longer text, or a larger limit of megabytes")
    return corpus


def cache_folder() -> Path:
    """Where this platform keeps an application's files that can be fetched again."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "minillm"


def split_documents(documents, fraction, seed):
    """(train, validation): whole documents, in the order of a hash of seed and content, up to `fraction`.

    Equal documents go the same way. Where no document is small enough (one text, a few books) each is cut
    instead: its first int(n * (1 - fraction)) characters are to train on, as nanoGPT cuts a text.
    """
    sizes = Counter()
    for text in documents:
        sizes[text] += len(text)
    room, held_out = fraction * sizes.total(), set()
    for text in sorted(sizes, key=lambda text: hashlib.sha256(f"{seed}:{text}".encode()).digest()):
        if sizes[text] <= room:
            held_out.add(text)
            room -= sizes[text]
    if held_out:
        return ([text for text in documents if text not in held_out],
                [text for text in documents if text in held_out])
    cuts = [(text, int(len(text) * (1 - fraction))) for text in documents]
    return ([text[:cut] for text, cut in cuts if cut],
            [text[cut:] for text, cut in cuts if cut < len(text)])


def keep(documents, megabytes):
    """The first documents that together have at most so many megabytes; a first one that is larger is cut."""
    chosen, room = [], math.inf if megabytes is None else int(megabytes * 1e6)
    for text in documents:
        size = len(text.encode())
        if size > room:
            return chosen or [text.encode()[:room].decode(errors="ignore")]
        chosen.append(text)
        room -= size
    return chosen


# Files of the user's and of the web -------------------------------------------------------------------------

def read_text(path, limit=None, encoding=None) -> str:
    """A UTF-8 file, line ends as "\\n", no byte order mark; `limit`: the documents in so many bytes.

    With `encoding`, a file that is not UTF-8 is read as that. Raises UserError.
    """
    text, wrong = _read(path, limit, encoding)
    if wrong:
        raise UserError(f"{path}: {wrong}")
    return text


def read_texts(files, encoding=None) -> list[str]:
    """The texts of several files. Raises UserError, naming all files that cannot be read."""
    read = [_read(file, None, encoding) for file in files]
    bad = [f"{file}: {wrong}" for file, (_, wrong) in zip(files, read) if wrong]
    if bad:
        several = f"{len(bad)} of {len(files)} files cannot be read: " if len(bad) > 1 else ""
        more = f"; and {len(bad) - 20} more" if len(bad) > 20 else ""
        remedy = "; --glob leaves files out" if len(files) > 1 else ""
        raise UserError(several + "; ".join(bad[:20]) + more + remedy)
    return [text for text, _ in read]


def check_encoding(encoding):
    """Refuse what is not the name of a text encoding. Raises UserError."""
    try:
        b"a".decode(encoding or "utf-8")
    except UnicodeError:
        pass
    except (LookupError, ValueError):
        raise UserError(f"--encoding {encoding}: Python knows no text encoding of this name: give "
                        f"one such as utf-16, latin-1, cp1252, gb18030 or shift_jis") from None


def _read(path, limit, encoding):
    """(text, None), or (None, what is wrong with the file and what to do)."""
    try:
        with open(path, "rb") as file:
            raw = file.read(limit)
            if limit is not None and file.read(1):
                raw = raw[:max(raw.rfind(END_OF_TEXT.encode()), 0)]
    except OSError as error:
        return None, f"cannot be read ({error.strerror})"
    wide = _wide_encoding(raw)
    wrong = f"is {wide[:6].upper()}, not UTF-8: add --encoding {wide}" if wide else None
    for name in (None if wide else "utf-8", encoding):
        try:
            if name:
                text = raw.decode(name)
                return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"), None
        except UnicodeError as error:
            wrong = (f"is neither UTF-8 nor {encoding}: give another --encoding" if name == encoding
                     else f"byte {error.start} is not UTF-8: save the file as UTF-8, or name its "
                     f"encoding, such as --encoding latin-1")
    return None, wrong


def _wide_encoding(raw: bytes) -> str | None:
    """utf-16 or utf-32, if the bytes begin with its mark or every second one is 0; else None."""
    for mark, name in ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
                       (codecs.BOM_UTF16_LE, "utf-16"),
                       (codecs.BOM_UTF16_BE, "utf-16")):
        if raw.startswith(mark):
            return name
    head = raw[:4096]
    for first, name in ((0, "utf-16-be"), (1, "utf-16-le")):
        zeros, others = head[first::2].count(0), head[1 - first::2].count(0)
        if zeros > len(head) // 4 and others <= zeros // 10:
            return name
    return None


def separate(text):
    """The documents of one file: the file itself, or what stands between its END_OF_TEXT marks."""
    if END_OF_TEXT not in text:
        return [text] if text else []
    return [part for part in map(str.strip, text.split(END_OF_TEXT)) if part]


def text_files(folder, globs=()):
    """Yields the text files in a folder and below, sorted; not hidden ones, no link out of it.

    `globs` are compared with a file's name and with its path below the folder; without them its
    suffix decides.
    """
    def wanted(path):
        if not globs:
            return path.suffix.lower() in TEXT_SUFFIXES
        names = path.name, path.relative_to(folder).as_posix()
        return any(fnmatch(name, glob) for glob in globs for name in names)

    def refuse(error):
        raise UserError(f"{error.filename}: cannot be read ({error.strerror})")

    root = folder.resolve()
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(parent, name) for name in sorted(names) if not name.startswith(".")):
            if wanted(path) and path.is_file():
                if path.resolve().is_relative_to(root):
                    yield path


def fetch(remote, folder) -> Path:
    """The file in `folder`, downloaded if it is not there; its size and SHA-256 are checked before every use.

    A file that does not match is left alone when it was there already, and thrown away when just downloaded.
    Raises UserError: no network (says where to put the file by hand), or a file that does not match.
    """
    path = Path(folder).absolute() / remote.name
    try:
        if not path.exists():
            _download(remote, path)
        elif not _matches(path, remote):
            raise UserError(
                f"{path}: not the file published at {remote.url} (its size or SHA-256 differs); "
                "delete it to download it again")
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"cannot download {remote.url} ({reason}); without a network, put that file "
            f"({remote.size:,} bytes) at {path}") from None
    return path


def _matches(path, remote):
    if not path.is_file() or path.stat().st_size != remote.size:
        return False
    return sha256_of(path) == remote.sha256


def _download(remote, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".download-") as folder:
        part = Path(folder, remote.name)
        with urllib.request.urlopen(remote.url, timeout=30) as answer, open(part, "wb") as file:
            while file.tell() <= remote.size and (piece := answer.read(1 << 20)):
                file.write(piece)
        if not _matches(part, remote):
            raise UserError(
                f"{remote.url}: what came back is not the published file (its size or SHA-256 "
                "differs); nothing was kept, try again later")
        os.replace(part, path)


# The documentation of the Python installation ---------------------------------------------------------------

def python_docs():
    """Yields Python's help texts, then one document per module of the standard library: names and docstrings.

    Docstrings are read from the source with `ast`: nothing is imported. Same installation, same documents.
    """
    try:
        topics = importlib.import_module("pydoc_data.topics").topics
    except ImportError:
        topics = {}  # some Linux distributions package it apart
    yield from filter(None, (topics[name].strip() for name in sorted(topics)))
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts[0] in sys.stdlib_module_names and not {"test", "tests", "idle_test"} & set(parts):
            name = ".".join(parts).removesuffix(".__init__")
            text = "\n\n".join(f"{title}\n\n{docstring}"
                               for title, docstring in _docstrings(path, name))
            if text:
                yield text.encode(errors="replace").decode()  # a docstring may hold half a surrogate pair


def _docstrings(path, name):
    """Yields (dotted name, docstring) of a module and of all that it defines, from top to bottom."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old modules hold escapes that Python now frowns upon
            tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    waiting = [(name, tree)]
    while waiting:
        title, node = waiting.pop()
        if text := ast.get_docstring(node):
            yield title, text
        waiting += [(f"{title}.{child.name}", child) for child in reversed(node.body)
                    if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))]


# One reader per source: (source, megabytes, seed, validation fraction, folder of downloads) -> Corpus -----

def _storyworld(source, megabytes, seed, fraction, folder):
    n_bytes = (megabytes or STORYWORLD_MEGABYTES) * 1e6
    if n_bytes > machine_memory():
        raise UserError(f"megabytes {megabytes:g}: more than the memory of this machine "
                        f"({gigabytes(machine_memory())}): choose less")
    world = storyworld.WORLDS[source]
    train = storyworld.corpus(seed, "train", int(n_bytes * (1 - fraction)), world)
    validation = storyworld.corpus(seed, "validation", int(n_bytes * fraction), world)
    floor_nats = [-storyworld.parse(text, world).log_probability for text in validation]
    language = "" if world is storyworld.ENGLISH else f" in {world.language}"
    return Corpus(source, f"stories of the story world{language}, seed {seed}", train, validation,
                  floor_nats)


def _python_docs(source, megabytes, seed, fraction, folder):
    version = ".".join(map(str, sys.version_info[:3]))
    return Corpus(source, f"the documentation of the installed Python {version}",
                  *split_documents(keep(python_docs(), megabytes), fraction, seed))


def _shakespeare(source, megabytes, seed, fraction, folder):
    text = read_text(fetch(SHAKESPEARE, folder))
    return Corpus(source, "tiny shakespeare: one text of 1.1 MB, the last part of it held out",
                  *split_documents(keep([text], megabytes), fraction, seed))


def _tinystories(source, megabytes, seed, fraction, folder):
    splits = []
    for remote, part in ((TINYSTORIES_TRAIN, 1 - fraction), (TINYSTORIES_VALID, fraction)):
        limit = None if megabytes is None else int(megabytes * part * 1e6)
        splits.append(separate(read_text(fetch(remote, folder), limit)))
    return Corpus(source, "TinyStories: stories by GPT-4, with the validation file of its authors",
                  *splits)


def _tinystories_small(source, megabytes, seed, fraction, folder):
    stories = separate(read_text(fetch(TINYSTORIES_VALID, folder)))
    return Corpus(source, "the 22 MB validation file of TinyStories, split anew",
                  *split_documents(keep(stories, megabytes), fraction, seed))


def _from_path(source, megabytes, seed, fraction, folder, globs=(), encoding=None):
    path = Path(source)
    if os.path.isdir(path):
        files = list(text_files(path, globs))
        if not files:
            looked = (
                f"no file matches {' '.join(globs)}" if globs
                else f"no text files in this folder (no name ends in {' '.join(TEXT_SUFFIXES[:3])} "
                "...): choose files with --glob, such as --glob '*.log'")
            raise UserError(f"{path}: {looked}")
    elif os.path.isfile(path):
        files = [path]
    else:
        raise UserError(
            f"{source}: no such file or folder, and not a named source ({', '.join(SOURCES)})")
    documents = [document for text in read_texts(files, encoding) for document in separate(text)]
    if not documents:
        raise UserError(f"{source}: " + ("the file is empty" if os.path.isfile(path) else
                                         f"its text files are all empty ({len(files)})"))
    name = path.resolve().name
    return Corpus(name, f"{len(files)} text file{'s' * (len(files) > 1)} from {name}",
                  *split_documents(keep(documents, megabytes), fraction, seed))


SOURCES = {**dict.fromkeys(storyworld.WORLDS, _storyworld), "python-docs": _python_docs,
           "shakespeare": _shakespeare, "tinystories": _tinystories,
           "tinystories-small": _tinystories_small}
