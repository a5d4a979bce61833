"""Reads what students handed in. Nothing is unpacked, followed or executed: only the named files are read, as bytes.

    SUBMISSIONS/alice/03_attention.py          a folder for each student (the files in it, or in one folder in it)
    SUBMISSIONS/alice.zip                      what `minillm assignment submit` makes, or any zip of the files
    SUBMISSIONS/alice.py                       where the assignment has a single file
"""

import hashlib
import os
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

from minillm.errors import UserError

LARGEST = 2**20            # bytes of a file; a solution has three thousand


@dataclass(frozen=True)
class Submission:
    """`files` holds what could be read, `problems` says of the other names why not."""

    student: str
    files: dict[str, bytes]
    problems: dict[str, str]

    @property
    def digest(self) -> str:
        total = hashlib.sha256()
        for name, data in sorted(self.files.items()):
            total.update(f"{name}\n{len(data)}\n".encode() + data)
        for name, text in sorted(self.problems.items()):
            total.update(f"{name}\n{text}\n".encode("utf-8", "replace"))
        return total.hexdigest()


def collect(folder: Path, names: list[str]) -> list[Submission]:
    """All submissions in a folder, in the order of their students' names. Raises UserError."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of submissions")
    entries = {}
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith((".", "__")):
            continue
        is_folder = entry.is_dir(follow_symlinks=False) or entry.is_symlink()
        student, kind = (entry.name, "") if is_folder else os.path.splitext(entry.name)
        if not is_folder and kind.lower() not in (".zip", ".py"):
            continue
        entries.setdefault(student.casefold(), []).append((student, Path(entry.path)))
    for found in entries.values():
        if len(found) > 1:
            raise UserError(f"{folder}: {' and '.join(path.name for _, path in found)} have one student's name: keep one of them")
    if not entries:
        raise UserError(f"{folder}: no submissions in it (a folder or a .zip for each student)")
    return [read(path, student, names) for (student, path), in entries.values()]


def read(path: Path, student: str, names: list[str]) -> Submission:
    """One submission: a folder, a zip, or a single file."""
    if path.is_symlink():
        files, problems = {}, {name: "the submission is a link, and links are not followed" for name in names}
    elif path.is_dir():
        files, problems = read_folder(path, names)
    elif path.suffix.lower() == ".zip":
        files, problems = read_zip(path, names)
    elif len(names) == 1:
        data, problem = read_file(path)
        files, problems = ({names[0]: data}, {}) if data is not None else ({}, {names[0]: problem})
    else:
        files, problems = {}, {name: f"one .py file was handed in where {len(names)} are asked for" for name in names}
    return Submission(student, files, problems)


def read_file(path: Path) -> tuple[bytes | None, str]:
    """(bytes, "") of an ordinary file, or (None, why not). Links, folders and devices are not opened."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None, "it is not an ordinary file"
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return None, "it is not an ordinary file"
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        return None, "it is missing"
    except OSError as error:
        return None, f"it cannot be read ({error.strerror})"
    return (data, "") if len(data) <= LARGEST else (None, f"it is larger than {LARGEST:,} bytes")


def read_folder(folder: Path, names) -> tuple[dict, dict]:
    """The named files in a folder, or in the only folder in it that has any."""
    files, problems = {}, {}
    try:
        inner = [Path(e.path) for e in os.scandir(folder) if e.is_dir(follow_symlinks=False) and not e.name.startswith((".", "__"))]
    except OSError:
        inner = []
    places = [folder] if any(os.path.lexists(folder / name) for name in names) else [p for p in inner if any(os.path.lexists(p / n) for n in names)]
    for name in names:
        data, problem = read_file(places[0] / name) if len(places) == 1 else (None, "it is missing" if not places else "it is in several folders")
        if data is None:
            problems[name] = problem
        else:
            files[name] = data
    return files, problems


def read_zip(path: Path, names) -> tuple[dict, dict]:
    """The named members of a zip, at its top or in one folder; a path in it is only ever compared, never used."""
    files, problems = {}, {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            for name in names:
                found = [m for m in members if m.filename.replace("\\", "/").split("/")[-1] == name and 1 <= len(m.filename.replace("\\", "/").split("/")) <= 2
                         and ".." not in m.filename and not m.filename.startswith(("/", "\\", "__MACOSX"))]
                if len(found) != 1:
                    problems[name] = "it is missing" if not found else "it is in the archive more than once"
                elif stat.S_IFMT(found[0].external_attr >> 16) not in (0, stat.S_IFREG):
                    problems[name] = "it is not an ordinary file"
                else:
                    with archive.open(found[0]) as file:
                        data = file.read(LARGEST + 1)
                    if len(data) > LARGEST:
                        problems[name] = f"it is larger than {LARGEST:,} bytes"
                    else:
                        files[name] = data
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError, EOFError, MemoryError, zipfile.LargeZipFile) as error:
        problems |= {name: f"the archive cannot be read ({type(error).__name__})" for name in names if name not in files}
    except Exception as error:                       # zlib and lzma have errors of their own
        problems |= {name: f"the archive cannot be read ({type(error).__name__})" for name in names if name not in files}
    return files, problems
