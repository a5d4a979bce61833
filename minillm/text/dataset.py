"""Text -> token files -> batches.

`prepare` tokenizes a corpus once into a folder of memory-mapped arrays. `batch` is a pure function of (seed,
step), so that a resumed run sees exactly what an uninterrupted one would have seen. Suffixes: B rows of a
batch, N rows of a whole split, T positions.
"""

import hashlib
import json
import math
import os
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from minillm.config import IGNORE
from minillm.errors import UserError
from minillm.files import sha256_of
from minillm.text.tokenizer import END_OF_TEXT

FORMAT = "minillm dataset 1"
DESCRIPTION, TOKENIZER = "dataset.json", "tokenizer.json"
ARRAYS = ("train.npy", "train_starts.npy", "validation.npy", "validation_starts.npy",
          "validation_floor.npy")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Tokens of both splits, memory-mapped, and the position at which each document starts.

    With an end-of-text token, each document is opened by it and a last one closes the file. `*_bytes` count
    the UTF-8 text alone. `floor_nats` (documents,) is the exact -log p of each validation document, or None.
    """

    folder: Path
    name: str
    description: str
    fingerprint: str
    tokenizer_sha256: str
    vocab_size: int
    train: np.ndarray
    train_starts: np.ndarray
    train_bytes: int
    validation: np.ndarray
    validation_starts: np.ndarray
    validation_bytes: int
    floor_nats: np.ndarray | None


# Text -> token files ----------------------------------------------------------------------------------------

def prepare(corpus, tokenizer, folder, replace=True, mark=None) -> Dataset:
    """Tokenizes both splits into `folder`, or opens what is there if it is of the same corpus and tokenizer.

    `mark` is the token that opens a document where the tokenizer has no end-of-text token of ours (None: nothing does).

    All is written beside `folder` and put in place by one rename: a write that was killed is never a dataset.
    Raises UserError: a split of less than two tokens, an unwritable folder, a folder with other things in it,
    or, without `replace`, with a dataset of another corpus or tokenizer.
    """
    folder = Path(folder).resolve()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as aside:
            new = Path(aside, "new")
            new.mkdir()
            tokenizer.save(new / TOKENIZER)
            tokenizer_sha256 = sha256_of(new / TOKENIZER)
            origin = f"{FORMAT} {corpus.fingerprint()} {tokenizer_sha256}" + (
                "" if mark is None else f" {mark}")
            fingerprint = hashlib.sha256(origin.encode()).hexdigest()
            ready = _reusable(folder, fingerprint)
            if ready is None:
                if folder.exists() and not replace:
                    raise UserError(f"{folder}: holds a dataset of another text or tokenizer: give the same again, "
                                    "or start anew in another folder")
                _write(corpus, tokenizer, new, tokenizer_sha256, fingerprint, mark)
                if folder.exists():
                    os.replace(folder, Path(aside, "old"))
                os.replace(new, folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error})") from None
    return ready or open_dataset(folder)


def _reusable(folder, fingerprint):
    """The dataset in `folder` if it is the one wanted; None if what is there may be replaced.

    Raises UserError if anything there is not ours: a user's own files are never replaced.
    """
    names = set(os.listdir(folder)) if folder.exists() else set()
    strangers = names - {DESCRIPTION, TOKENIZER, *ARRAYS} if DESCRIPTION in names else names
    if strangers:
        raise UserError(
            f"{folder}: holds {min(strangers)}, not part of a dataset; choose another folder")
    try:
        dataset = open_dataset(folder)
    except UserError:
        return None
    return dataset if dataset.fingerprint == fingerprint else None


def _write(corpus, tokenizer, folder, tokenizer_sha256, fingerprint, mark):
    info = {"format": FORMAT, "name": corpus.name, "description": corpus.description,
            "fingerprint": fingerprint, "tokenizer_sha256": tokenizer_sha256,
            "vocab_size": tokenizer.vocab_size}
    arrays = {}
    for split in ("train", "validation"):
        documents = getattr(corpus, split)
        tokens, starts = tokenize(documents, tokenizer, mark)
        if len(tokens) < 2:
            raise UserError(
                f"{corpus.name}: the {split} split has a length of {len(tokens)} tokens and "
                "needs at least 2; use a longer text")
        arrays |= {f"{split}.npy": tokens, f"{split}_starts.npy": starts}
        info[split] = {"documents": len(starts), "tokens": len(tokens),
                       "bytes": sum(len(text.encode()) for text in documents)}
    if corpus.floor_nats is not None:
        arrays["validation_floor.npy"] = np.array(corpus.floor_nats, np.float64)
    for name, array in arrays.items():
        np.save(folder / name, array)
    info["files"] = {name: sha256_of(folder / name) for name in arrays}
    (folder / DESCRIPTION).write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")


def tokenize(documents, tokenizer, mark=None):
    """(tokens, starts): all documents end to end as small integers, and where each starts.

    Each is opened by the end-of-text token, or `mark` where the tokenizer has none; one closes all.
    """
    dtype = np.uint16 if tokenizer.vocab_size <= 1 << 16 else np.uint32
    end = tokenizer.special_tokens.get(END_OF_TEXT, mark)
    mark = np.array([] if end is None else [end], dtype)
    pieces, starts, length = [], [], 0
    for text in documents:
        starts.append(length)
        pieces += [mark, np.array(tokenizer.encode(text), dtype)]
        length += len(mark) + len(pieces[-1])
    return np.concatenate([*pieces, mark]), np.array(starts, np.int64)


def open_dataset(folder) -> Dataset:
    """The dataset in a folder, memory-mapped; files are checked by SHA-256, ids against the vocabulary.

    Raises UserError in one line for a folder that is no dataset, or a truncated, altered or malformed one.
    """
    folder = Path(folder)
    try:
        info = _read_description(folder / DESCRIPTION)
        arrays = {name: _map(folder / name, info["files"][name]) for name in ARRAYS
                  if name in info["files"]}
        dataset = Dataset(folder, info["name"], info["description"], info["fingerprint"],
                          info["tokenizer_sha256"], info["vocab_size"], arrays["train.npy"],
                          arrays["train_starts.npy"], info["train"]["bytes"],
                          arrays["validation.npy"], arrays["validation_starts.npy"],
                          info["validation"]["bytes"], arrays.get("validation_floor.npy"))
        for split in ("train", "validation"):
            _check_split(split, getattr(dataset, split), getattr(dataset, f"{split}_starts"), info)
        floor = dataset.floor_nats
        if floor is not None and (floor.dtype != np.float64
                                  or len(floor) != len(dataset.validation_starts)):
            raise ValueError("validation_floor.npy does not fit the documents")
    except FileNotFoundError as error:
        raise UserError(
            f"{folder}: not a dataset, or not a whole one ({Path(error.filename).name} is "
            "missing); prepare it again") from None
    except Exception as error:  # a hostile file can make its reader raise nearly anything
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise UserError(
            f"{folder}: not a usable dataset ({reason[:200]}); prepare it again") from None
    return dataset


def _read_description(path):
    info = json.loads(path.read_text(encoding="utf-8"))
    if info["format"] != FORMAT:
        raise ValueError(f"{path.name} does not say {FORMAT!r}")
    counts = ("documents", "tokens", "bytes")
    for group, kind, names in ((info, str, ("name", "description", "fingerprint",
                                            "tokenizer_sha256")), (info, int, ("vocab_size",)),
                               (info["train"], int, counts), (info["validation"], int, counts)):
        for name in names:
            if type(group[name]) is not kind or kind is int and group[name] < 1:
                raise ValueError(
                    f"{name!r} in {path.name} is not a {'text' if kind is str else 'count'}")
    return info


def _map(path, digest):
    if path.exists() and not path.is_file():
        raise ValueError(f"{path.name} is not a plain file")
    if sha256_of(path) != digest:
        raise ValueError(
            f"{path.name} is truncated or altered: its SHA-256 is not the recorded one")
    with np.errstate(over="ignore"):  # of a shape too large for this file, which the next line refuses
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.memmap) or array.ndim != 1:
        raise ValueError(f"{path.name} is not a list of numbers")
    return array


def _check_split(split, tokens, starts, info):
    if tokens.dtype not in (np.uint16, np.uint32) or starts.dtype != np.int64:
        raise ValueError(f"{split}.npy or {split}_starts.npy has the wrong type of number")
    if (len(tokens), len(starts)) != (info[split]["tokens"],
                                      info[split]["documents"]) or len(tokens) < 2:
        raise ValueError(f"{split}.npy does not have the recorded length")
    if tokens.max() >= info["vocab_size"]:
        raise ValueError(
            f"{split}.npy holds token {tokens.max()} of a vocabulary of {info['vocab_size']}")
    if starts[0] != 0 or starts[-1] >= len(tokens) or (starts[1:] <= starts[:-1]).any():
        raise ValueError(f"{split}_starts.npy is not an increasing list of positions")


# Token files -> batches -------------------------------------------------------------------------------------

def batch(tokens, step, *, seed, batch_size, context, starts=None, rows=slice(None)):
    """(inputs_BT, targets_BT) int32 of one training step, a pure function of its arguments; targets one on.

    Without `starts`, an epoch cuts the tokens into windows of `context` from a random phase on, and visits
    each once in random order; fewer than 2 * context tokens at the two ends are left out, others in each
    epoch. With `starts` (see `row_starts`), an epoch visits each start once in random order; a row runs on
    into what follows, and from the end of the file on at its beginning. A batch may straddle epochs. `rows`:
    which rows of the batch are read. Raises UserError if there are fewer than context + 1 tokens.
    """
    places_BT = places(tokens, step, seed=seed, batch_size=batch_size, context=context,
                       starts=starts)
    rows_BT = tokens[places_BT[rows]].astype(np.int32)
    return rows_BT[:, :-1], rows_BT[:, 1:]


def places(tokens, step, *, seed, batch_size, context, starts=None):
    """(B, context + 1): where in `tokens` the rows of a step stand, each with the target of its
    last token. See `batch`."""
    n = len(tokens)
    if n <= context:
        raise UserError(
            f"the text has {n} tokens, but a context of {context} needs at least {context + 1}; "
            "use a longer text or a shorter context")
    count = rows_of_epoch(n, context, starts)
    slack = n - 1 - count * context if starts is None else 0
    epochs_B, places_B = np.divmod(np.arange(step * batch_size, (step + 1) * batch_size), count)
    begins_B = np.empty(batch_size, np.int64)
    for epoch in np.unique(epochs_B):
        here_B = epochs_B == epoch
        phase, order = _epoch(seed, int(epoch), count, slack)
        chosen = order[places_B[here_B]]
        begins_B[here_B] = phase + context * chosen if starts is None else starts[chosen]
    # the end-of-text that closes the file stands for the one that opens it: a row that runs over
    # has it once
    length = n - 1 if tokens[0] == tokens[-1] else n
    return (begins_B[:, None] + np.arange(context + 1)) % length


def rows_of_epoch(n_tokens, context, starts=None) -> int:
    """How many rows of `context` tokens read the text once; see `batch`."""
    return max(1, (n_tokens - 1) // context - 1) if starts is None else len(starts)


@lru_cache(maxsize=4)  # the epoch of a batch and the next one, for two token files
def _epoch(seed, epoch, count, slack):
    """(phase, order): where the first window begins, in [0, slack], and a random order of `count` places."""
    rng = np.random.default_rng([seed, epoch])
    phase, order = int(rng.integers(slack + 1)), rng.permutation(count)
    order.flags.writeable = False
    return phase, order


def row_starts(starts, n_tokens, context):
    """Where rows begin: each document's start, and in one longer than `context` every `context` tokens.

    Rows of `context` tokens from there leave no token out; from the documents' starts alone, the end of a
    longer document would never be seen.
    """
    starts = np.asarray(starts, np.int64)
    rows = -(-np.diff(starts, append=n_tokens - 1) // context)
    nth = np.arange(rows.sum()) - np.repeat(np.cumsum(rows) - rows, rows)
    return np.repeat(starts, rows) + context * nth


# Token files -> evaluation rows -----------------------------------------------------------------------------

def windows(tokens, context):
    """(inputs_NT, targets_NT) int32: a split in windows side by side; each token but the first is a target.

    The last row is padded: inputs with 0, targets with IGNORE. Raises UserError for fewer than two tokens.
    """
    return document_rows(tokens, [0], context)


def document_rows(tokens, starts, context):
    """(inputs_NT, targets_NT) int32: a row per document, from its end-of-text to the one that closes it.

    Padded as in `windows`. A document longer than the context goes on in further rows that do not see what
    came before: no target is left out, so all losses added up, over the number of documents, are nats per
    document, exact where the context holds the longest. Raises UserError for fewer than two tokens.
    """
    if len(tokens) < 2:
        raise UserError(
            f"the text has a length of {len(tokens)} tokens, but evaluation needs at least 2")
    begins_N = row_starts(starts, len(tokens), context)
    ends_N = np.append(begins_N[1:], len(tokens) - 1)
    places_NT = begins_N[:, None] + np.arange(context)
    inside_NT = places_NT < ends_N[:, None]
    places_NT[~inside_NT] = 0
    inputs_NT = np.where(inside_NT, tokens[places_NT].astype(np.int32), np.int32(0))
    targets_NT = np.where(inside_NT, tokens[places_NT + 1].astype(np.int32), np.int32(IGNORE))
    return inputs_NT, targets_NT


def describe(dataset) -> dict:
    """What a dataset holds, in plain numbers: per split documents, tokens, bytes, bytes per token; the floor.

    The floor (if known) is the mean -log p of the validation documents: nats per document, bits per byte of
    text.
    """
    summary = {"name": dataset.name, "description": dataset.description,
               "folder": str(dataset.folder), "vocab_size": dataset.vocab_size}
    for split in ("train", "validation"):
        tokens, n_bytes = len(getattr(dataset, split)), getattr(dataset, f"{split}_bytes")
        summary[split] = {"documents": len(getattr(dataset, f"{split}_starts")), "tokens": tokens,
                          "bytes": n_bytes, "bytes_per_token": n_bytes / tokens}
    if dataset.floor_nats is not None:
        total = float(np.sum(dataset.floor_nats))
        summary["floor"] = {"nats_per_document": total / len(dataset.floor_nats),
                            "bits_per_byte": total / math.log(2) / dataset.validation_bytes}
    return summary
