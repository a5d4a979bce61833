"""Finds the files that students handed in, in whatever shape a learning platform gives them out.
Nothing is unpacked to disk, followed or executed: files are read as bytes, and of a notebook the
source of its cells.

    SUBMISSIONS/ada/03_attention.py       a folder for each student; files in it or further down
    SUBMISSIONS/ada.zip, ada.py           an archive; a single file where the assignment has one
    SUBMISSIONS/doejane_LATE_1234_5678_03_attention.py      Canvas' flat download
    SUBMISSIONS/Jane Doe_1234_assignsubmission_file_/...    Moodle's folders
    submissions.zip                       any of these in an archive, or one folder further down
"""

import ast
import hashlib
import io
import json
import os
import re
import stat
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from minillm.assignments.records import same_name
from minillm.course.notebooks import name_of
from minillm.errors import UserError

LARGEST = 2**20  # bytes of a file; a solution has three thousand
LARGEST_NOTEBOOK = 2**24  # a notebook may hold figures
LARGEST_ARCHIVE = 2**26  # of an archive in an archive
MISSING = "it is missing"
DEEPEST, MOST = (
    6,
    20_000,
)  # folders in folders that are looked into; files of a student, or entries of a folder
CANVAS = re.compile(r"(?P<name>[^_/]+)_(?:LATE_)?(?P<id>\d+)_(?P<upload>\d+)_(?P<file>[^/]+)")
MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?(?P<file>.*)")
COPY = re.compile(
    r"(?:[ _-]*(?:\(\d+\)|copy|kopie|copie)(?:[ _-]*\d+)?|-\d+)$", re.IGNORECASE
)  # what browsers add
KINDS = (".py", ".ipynb", ".zip")


@dataclass(frozen=True)
class Found:
    """A file in a folder or an archive: where it lies, and how its bytes come; rank: of two equal
    ones the higher counts.
    """

    parts: tuple[str, ...]
    read: Callable[[int], bytes] = field(repr=False)
    rank: int = 0

    @property
    def name(self) -> str:
        return self.parts[-1]


class Unreadable(Exception):
    """Why a file is not read, in words for its author."""


@dataclass(frozen=True)
class Submission:
    """`files` holds what could be read, `problems` says of the other names why not; `notes`: what
    was made good.

    stem: how a platform's names of this student's files begin, for feedback.
    """

    student: str
    files: dict[str, bytes]
    problems: dict[str, str]
    notes: list[str] = field(default_factory=list)
    stem: str = ""

    @property
    def digest(self) -> str:
        total = hashlib.sha256()
        for name, data in sorted(self.files.items()):
            total.update(f"{name}\n{len(data)}\n".encode() + data)
        for name, text in sorted(self.problems.items()):
            total.update(f"{name}\n{text}\n".encode("utf-8", "replace"))
        return total.hexdigest()


def collect(place: Path, names: list[str], say=lambda text: None, stubs=None) -> list[Submission]:
    """All submissions in a folder or an archive, in the order of their students' names. Raises
    UserError.
    """
    place = Path(place)
    if place.is_dir():
        mistaken = [
            name
            for name in (*names, "assignment.json", "secret.json", "key/secret.json")
            if os.path.lexists(place / name)
        ]
        if mistaken:
            raise UserError(
                f"{place}: has {mistaken[0]} in it, so it is not a folder of submissions, which "
                "holds a folder "
                "or a .zip for each student"
            )
        files = _in_folder(place)
    elif place.suffix.lower() == ".zip" and place.is_file():
        try:
            files = _in_archive(place)
        except Unreadable as error:
            raise UserError(f"{place}: {error}") from None
    else:
        raise UserError(f"{place}: no such folder or .zip of submissions")
    files = _without_outer(files, names, place, say)
    students, passed_over = {}, []
    for (student, stem), found in _by_student(files, passed_over).items():
        students.setdefault(same_name(student), []).append((student, stem, found))
    if passed_over:
        shown = ", ".join(map(printable, passed_over[:10])) + (
            f" and {len(passed_over) - 10} more" if len(passed_over) > 10 else ""
        )
        say(
            f"WARNING: {place}: not graded, because neither a folder nor a .zip, .py or .ipynb "
            f"file: {shown}. Unpack what "
            "is a submission into a folder of its student's name"
        )
    if not students:
        raise UserError(f"{place}: no submissions in it (a folder or a .zip for each student)")
    return [_submission(entries, names, stubs or {}) for _, entries in sorted(students.items())]


def _without_outer(files, names, place, say):
    """The files without the folders that stand around all submissions: below them, two or more
    hold the same thing.
    """
    common = os.path.commonprefix([found.parts[:-1] for found in files])
    holders: dict[str, set] = {}
    for found in files:
        inside = found.parts[len(common) :]
        if common and (len(inside) > 1 or inside[0].lower().endswith(".zip")):
            kind = next(
                (name for name in names if _is(found.name, name)),
                found.name.rpartition(".")[2].lower(),
            )
            holders.setdefault(kind, set()).add(inside[0])
    if max(map(len, holders.values()), default=0) < 2:
        return files
    say(f"{place}: the submissions are in {'/'.join(map(printable, common))}")
    return [Found(found.parts[len(common) :], found.read, found.rank) for found in files]


def _by_student(files, passed_over) -> dict:
    """{(student, stem): files}; a file at the top is one of a student's by its platform's
    pattern, or the student's only one.
    """
    top = [found for found in files if len(found.parts) == 1]
    flat = [CANVAS.fullmatch(found.name) for found in top]
    canvas = flat and all(flat)
    students = {}
    for found in files:
        first, moodle, inside = found.parts[0], MOODLE.fullmatch(found.parts[0]), found.parts[1:]
        if moodle:
            who, stem = (
                f"{moodle['name']}_{moodle['id']}",
                f"{moodle['name']}_{moodle['id']}_assignsubmission_file_",
            )
            found = Found(inside or (moodle["file"] or first,), found.read)
        elif inside:
            who, stem, found = first, "", Found(inside, found.read)
        elif canvas:
            parts = CANVAS.fullmatch(first)
            who, stem = (
                f"{parts['name']}_{parts['id']}",
                f"{parts['name']}_{parts['id']}_{parts['upload']}_",
            )
            found = Found((parts["file"],), found.read, int(parts["upload"]))
        else:
            who, kind = os.path.splitext(first)
            if kind.lower() not in KINDS or not who or who.startswith("."):
                passed_over.append(first)
                continue
            stem, found = "", Found((f"only{kind.lower()}",), found.read, -1)
        key = next((key for key in students if key[0] == who), (who, stem))
        students.setdefault(key, [])
        if found.parts != ("",):
            students[key].append(found)
    return students


def _submission(entries, names, stubs) -> Submission:
    """One student's files, of whatever there is under the name; never raises."""
    student = unicodedata.normalize("NFC", entries[0][0])
    notes = (
        []
        if len(entries) == 1
        else [
            f"handed in as {' and '.join(sorted(printable(e[0]) for e in entries))}: taken together"
        ]
    )
    return read_files(
        [found for _, _, files in entries for found in files],
        names,
        student,
        notes,
        entries[0][1],
        stubs,
    )


def read_files(
    found: list[Found], names, student: str, notes=(), stem: str = "", stubs=None
) -> Submission:
    """The wanted files among those found: under their names, else under names that can mean only
    them.

    stubs: {name: bytes} of the handout; a file that is still the stub counts only where nothing
    else does.
    """
    files, problems, notes, broken = {}, {}, list(notes), []
    archives = [f for f in found if f.name.lower().endswith(".zip")]
    if archives and not all(
        any(_is(f.name, name) or _means(f.name, names) == name for f in found) for name in names
    ):
        for archive in archives:
            try:
                found = found + [
                    Found((*archive.parts, *inner.parts), inner.read, archive.rank)
                    for inner in _in_archive(io.BytesIO(archive.read(LARGEST_ARCHIVE)))
                ]
            except Unreadable as error:
                broken.append(
                    f"the archive cannot be read ({error})"
                    if len(archives) == 1
                    else f"{printable(archive.name)} cannot be read ({error})"
                )
    for name in names:
        exact = [f for f in found if _is(f.name, name)]
        written = [f for f in exact if not _equals(f, (stubs or {}).get(name))]
        meant = [f for f in found if _means(f.name, names) == name and f not in exact]
        chosen, problem = _choose(written or meant or exact, notes, name)
        if problem == "" and chosen is None and len(names) > 1 and any(f.rank == -1 for f in found):
            problem = f"one file was handed in where {len(names)} are asked for"
        if chosen is None and not problem:
            problem = broken[0] if broken else MISSING + _instead(found, names)
        if chosen is not None:
            try:
                files[name] = _source(chosen, notes)
                if chosen.name != name and chosen.rank != -1:
                    notes.append(f"{printable(chosen.name)} was taken as {name}")
            except Unreadable as error:
                problem = str(error)
        if name not in files:
            problems[name] = problem
    return Submission(student, files, problems, notes, stem)


def _choose(candidates: list[Found], notes, name) -> tuple[Found | None, str]:
    """The topmost file, the latest upload; (None, why) where two at one place differ."""
    if not candidates:
        return None, ""
    depth = min(len(f.parts) for f in candidates)
    best = [f for f in candidates if len(f.parts) == depth]
    best = [f for f in best if f.rank == max(f.rank for f in best)]
    contents = set()
    for f in best if len(best) > 1 else ():
        try:
            contents.add(f.read(LARGEST_NOTEBOOK))
        except Unreadable:
            contents.add(f.parts)
    if len(contents) > 1:
        return (
            None,
            "it is there more than once: "
            f"{', '.join(printable('/'.join(f.parts)) for f in best[:4])}",
        )
    if len(candidates) > len(best):
        notes.append(
            f"of {len(candidates)} files {name} the "
            f"{'topmost' if depth < max(len(f.parts) for f in candidates) else 'latest'} counts"
        )
    return best[0], ""


def _equals(found: Found, stub: bytes | None) -> bool:
    try:
        return stub is not None and found.read(LARGEST).split() == stub.split()
    except Unreadable:
        return False


def _is(file: str, name: str) -> bool:
    """Is this the wanted name, in any case and any Unicode form?"""
    return same_name(file) == same_name(name)


def _means(file: str, names) -> str | None:
    """The wanted name that a file's name can only mean: "attention (1).py",
    "03_attention.py.txt", "03_attention.ipynb".
    """
    stem = same_name(file).removesuffix(".txt")
    stem, kind = os.path.splitext(stem)
    if kind not in (".py", ".ipynb"):
        return None
    while (shorter := COPY.sub("", stem)) != stem:
        stem = shorter
    stem = stem.strip(" _-")
    found = [name for name in names if stem in (name[:-3].lower(), name[3:-3].lower())]
    if not found and len(names) == 1 and stem == "only":
        found = names
    return found[0] if len(found) == 1 else None


def _source(found: Found, notes) -> bytes:
    """The bytes of a file; of a notebook, or of one that was turned into a script, what its cells
    define.
    """
    if found.name.lower().removesuffix(".txt").endswith(".ipynb"):
        return _of_notebook(found.read(LARGEST_NOTEBOOK), notes)
    data = found.read(LARGEST)
    if b"get_ipython()" in data:
        return _defined([data.decode("utf-8", "replace")], notes)
    return data


def _of_notebook(data: bytes, notes) -> bytes:
    try:
        cells = json.loads(data)["cells"]
        texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unreadable("it is not a notebook that can be read") from None
    return _defined(texts, notes)


def _defined(cells: list[str], notes) -> bytes:
    """The functions, classes, imports and constants that cells define, as one file."""
    kept = []
    for number, text in enumerate(cells, 1):
        lines = [
            line
            for line in text.splitlines()
            if not line.lstrip().startswith(("%", "!", "?", "get_ipython()"))
        ]
        try:
            tree = ast.parse("\n".join(lines) if not text.lstrip().startswith("%%") else "")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            notes.append(f"cell {number} of the notebook is not Python")
            continue
        for node in tree.body:
            if name_of(node) or isinstance(node, (ast.Import, ast.ImportFrom)):
                decorators = [d.lineno for d in getattr(node, "decorator_list", ())]
                kept.append("\n".join(lines[min([node.lineno, *decorators]) - 1 : node.end_lineno]))
    source = "\n\n\n".join(kept) + "\n"
    if len(source) > LARGEST:
        raise Unreadable(f"it is larger than {LARGEST:,} bytes")
    return source.encode("utf-8", "replace")


# ---- Folders and archives ----------------------------------------------------------------------


def in_folder(folder: Path) -> list[Found]:
    """The files below a folder, for one submission."""
    return [found for found in _in_folder(Path(folder)) if found.parts != ("",)]


def _in_folder(folder: Path) -> list[Found]:
    """Files below a folder; links are found, and say when they are read that they are not
    followed. An empty folder of a student is there as a file without a name."""
    found, waiting = [], [(folder, ())]
    while waiting:
        place, parts = waiting.pop()
        try:
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)[:MOST]
        except OSError:
            continue
        if parts and not entries:
            found.append(Found((*parts, ""), lambda most: b""))
        for entry in entries:
            if _hidden(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                if len(parts) < DEEPEST:
                    waiting.append((entry.path, (*parts, entry.name)))
                else:
                    found.append(Found((*parts, ""), lambda most: b""))
                if entry.name.lower().endswith(".py"):  # a folder with the name of a file
                    found.append(
                        Found(
                            (*parts, entry.name),
                            lambda most, path=Path(entry.path): read_file(path, most),
                        )
                    )
            else:
                at = (*parts, entry.name) if parts or not entry.is_symlink() else (entry.name, "")
                found.append(Found(at, lambda most, path=Path(entry.path): read_file(path, most)))
    return sorted(found, key=lambda f: f.parts)


def read_file(path: Path, most: int = LARGEST) -> bytes:
    """The bytes of an ordinary file. Links, folders and devices are not opened. Raises
    Unreadable.
    """
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise Unreadable("it is not an ordinary file")
        flags = (getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
        with os.fdopen(os.open(path, os.O_RDONLY | sum(flags)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unreadable("it is not an ordinary file")
            data = file.read(most + 1)
    except FileNotFoundError:
        raise Unreadable(MISSING) from None
    except OSError as error:
        raise Unreadable(f"it cannot be read ({error.strerror})") from None
    return _at_most(data, most)


def _at_most(data: bytes, most: int) -> bytes:
    if len(data) > most:
        raise Unreadable(f"it is larger than {most:,} bytes")
    return data


def _in_archive(file) -> list[Found]:
    """The files in a zip; a path in it is only ever compared, never used. Raises Unreadable."""
    try:
        archive = zipfile.ZipFile(file)
        found = []
        for member in archive.infolist()[:MOST]:
            parts = tuple(member.filename.replace("\\", "/").split("/"))
            bad = any(part in ("", "..") for part in parts[:-1]) or any(map(_hidden, parts))
            if not bad and parts[-1] and len(parts) <= DEEPEST + 1:
                found.append(
                    Found(parts, lambda most, member=member: _member(archive, member, most))
                )
        return sorted(found, key=lambda f: f.parts)
    except Exception as error:  # zlib and lzma have errors of their own
        raise Unreadable(type(error).__name__) from None


def _member(archive, member, most: int) -> bytes:
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        raise Unreadable("it is not an ordinary file")
    try:
        with archive.open(member) as file:
            return _at_most(file.read(most + 1), most)
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable(f"the archive cannot be read ({type(error).__name__})") from None


def _hidden(name: str) -> bool:
    return name.startswith(("__", ".")) and name.lower() != ".zip"


def _instead(found, names) -> str:
    """What is there under other names, for a message about a file that is missing."""
    others = sorted(
        {printable(f.name) for f in found if f.name and f.rank != -1 and not _means(f.name, names)}
    )
    return (
        f"; handed in: {', '.join(others[:5])}{' and others' if len(others) > 5 else ''}"
        if others
        else ""
    )


def printable(name: str) -> str:
    """A stranger's file name on one line, not long."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)[:60]
