"""Reading JSON that may be damaged, writing so that a crash leaves the old file: what every file format here needs."""

import hashlib
import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path

from minillm.errors import UserError, printable


def read_json(path: Path) -> dict:
    """The object in a JSON file. Raises UserError."""
    try:
        text = path.read_text(encoding="utf-8-sig")           # editors on Windows begin with a mark
        values = json.loads(text)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except (OSError, ValueError, RecursionError) as error:
        refuse_stand_in(path)
        raise UserError(f"{path}: not readable as JSON ({printable(error)})") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: holds {type(values).__name__} where an object {{...}} is needed")
    return values


def refuse_stand_in(path: Path):
    """Raise UserError where a file is not what its name says but what stands for it: a pointer of
    Git LFS, or a web page."""
    try:
        with open(path, "rb") as file:
            begin = file.read(200).lstrip().lower()
    except OSError:
        return
    if begin.startswith(b"version https://git-lfs"):
        raise UserError(
            f"{path}: a pointer of Git LFS, not the file itself: git lfs pull fetches it")
    if begin.startswith((b"<!doctype html", b"<html")):
        raise UserError(f"{path}: a web page, not the file itself: download it from the page")


def write_json(path: Path, values: dict):
    """Write an object as JSON, atomically."""
    write_atomically(path, (json.dumps(values, indent=2) + "\n").encode())


def write_atomically(path: Path, data: bytes):
    """Put `data` at `path` as `replacing` does. Raises UserError."""
    with replacing(path) as beside:
        beside.write_bytes(data)


@contextmanager
def replacing(path: Path):
    """Gives a path beside `path` to write to, then renames it into place: the file is the old one or the new one.

    Raises UserError where it cannot be written.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield beside
        with open(beside, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        with suppress(OSError):  # below a file that is no folder there is nothing to remove
            beside.unlink()
        raise UserError(f"{path}: cannot be written ({printable(error)})") from None


def make_folder(folder) -> Path:
    """The folder, made if need be. Raises UserError."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made a folder ({printable(error)})") from None
    return Path(folder)


def machine_memory() -> int:
    """The bytes of memory of this machine."""
    import psutil

    return psutil.virtual_memory().total


def gigabytes(size: int) -> str:
    """12,345,678,901 -> "12.3 GB" (10^9 bytes)."""
    return f"{size / 1e9:,.1f} GB"


def megabytes(size: int) -> str:
    """1,040,128 -> "1.0 MB" (10^6 bytes)."""
    return f"{size / 1e6:,.1f} MB"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
