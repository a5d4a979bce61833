"""Reads what students handed in. Nothing is unpacked, followed or executed: only the named files are read, as bytes.

    SUBMISSIONS/alice/03_attention.py          a folder for each student: the files in it, or together in a folder below it
    SUBMISSIONS/alice.zip                      what `minillm assignment submit` makes, or any zip of the files, in folders or not
    SUBMISSIONS/alice.py                       where the assignment has a single file
    SUBMISSIONS/alice/work.zip                 the only archive in her folder, where the files are not in it themselves
"""

import contextlib
import hashlib
import os
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

from minillm.errors import UserError

LARGEST = 2**20            # bytes of a file; a solution has three thousand
MISSING = "it is missing"
DEEPEST, MOST = 5, 2000    # folders in folders that are looked into, and how many of them


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


def collect(folder: Path, names: list[str], say=lambda text: None) -> list[Submission]:
    """All submissions in a folder, in the order of their students' names; says what in it is none. Raises UserError."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of submissions")
    mistaken = [name for name in (*names, "assignment.json", "secret.json", "key/secret.json") if os.path.lexists(folder / name)]
    if mistaken:
        raise UserError(f"{folder}: has {mistaken[0]} in it, so it is not a folder of submissions, which holds a folder or a .zip for each student")
    entries, passed_over = {}, []
    for entry in sorted(os.scandir(folder), key=lambda entry: (entry.name.casefold(), entry.name)):
        if entry.name.startswith((".", "__")):
            continue
        is_folder = entry.is_dir(follow_symlinks=False) or entry.is_symlink()
        student, kind = (entry.name, "") if is_folder else os.path.splitext(entry.name)
        if not is_folder and kind.lower() not in (".zip", ".py"):
            passed_over.append(entry.name)
            continue
        entries.setdefault(student.casefold(), []).append((student, Path(entry.path)))
    for found in entries.values():
        if len(found) > 1:
            raise UserError(f"{folder}: {' and '.join(path.name for _, path in found)} have one student's name: keep one of them")
    if passed_over:
        shown = ", ".join(map(printable, passed_over[:10])) + (f" and {len(passed_over) - 10} more" if len(passed_over) > 10 else "")
        say(f"WARNING: {folder}: not graded, because neither a folder nor a .zip nor a .py file: {shown}. Unpack what is a submission into a folder of its student's name")
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
        return None, MISSING
    except OSError as error:
        return None, f"it cannot be read ({error.strerror})"
    return (data, "") if len(data) <= LARGEST else (None, f"it is larger than {LARGEST:,} bytes")


def read_folder(folder: Path, names) -> tuple[dict, dict]:
    """The named files in a folder, or in the only folder below it that has any, or else in the only zip in there."""
    files, problems = {}, {}
    places = [folder] if any(os.path.lexists(folder / name) for name in names) else [
        place for place in below(folder) if any(os.path.lexists(place / name) for name in names)]
    there = files_in([folder, *below(folder)])
    archives = [path for path in there if path.suffix.lower() == ".zip"]
    if not places and len(archives) == 1:
        return read_zip(archives[0], names)
    for name in names:
        data, problem = read_file(places[0] / name) if len(places) == 1 else (None, MISSING if not places else "it is in several folders")
        if data is None:
            problems[name] = problem + (instead((path.name for path in there), names) if problem == MISSING else "")
        else:
            files[name] = data
    return files, problems


def files_in(folders: list[Path]) -> list[Path]:
    """The ordinary files of these folders that are not hidden, at most MOST."""
    found = []
    for folder in folders:
        with contextlib.suppress(OSError):
            found += sorted(Path(e.path) for e in os.scandir(folder) if e.is_file(follow_symlinks=False) and not e.name.startswith((".", "__")))[:MOST - len(found)]
    return found


def instead(there, names) -> str:
    """What is there under other names, for a message about a file that is missing."""
    others = sorted({printable(name) for name in there if name and not name.startswith((".", "__"))} - {*names})
    return f"; handed in: {', '.join(others[:5])}{' and others' if len(others) > 5 else ''}" if others else ""


def printable(name: str) -> str:
    """A stranger's file name on one line, not long."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)[:60]


def below(folder: Path) -> list[Path]:
    """Folders in a folder, and in those; none that is a link, hidden, or more than DEEPEST down; at most MOST."""
    found, waiting = [], [(folder, 0)]
    while waiting and len(found) < MOST:
        place, depth = waiting.pop()
        with contextlib.suppress(OSError):
            inner = sorted(e.path for e in os.scandir(place) if e.is_dir(follow_symlinks=False) and not e.name.startswith((".", "__")))
            found += map(Path, inner)
            waiting += [(Path(path), depth + 1) for path in inner if depth + 1 < DEEPEST]
    return found


def read_zip(path: Path, names) -> tuple[dict, dict]:
    """The named members of a zip, in whatever folder; a path in it is only ever compared, never used.

    Of files of one name the one at the top counts, as in a folder.
    """
    files, problems = {}, {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            for name in names:
                found = [m for m in members if parts_of(m)[-1] == name and len(parts_of(m)) <= 1 + DEEPEST
                         and not any(part in ("", "..") or part.startswith((".", "__")) for part in parts_of(m)[:-1])]
                found = [m for m in found if len(parts_of(m)) == 1] or found
                if len(found) != 1:
                    problems[name] = MISSING + instead((parts_of(m)[-1] for m in members), names) if not found else "it is in the archive more than once"
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


def parts_of(member: zipfile.ZipInfo) -> list[str]:
    """The folders and the name of a member."""
    return member.filename.replace("\\", "/").split("/")
