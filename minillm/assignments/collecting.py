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
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from minillm.assignments.records import same_name
from minillm.course.notebooks import name_of
from minillm.errors import UserError, printable

LARGEST = 2**20                                 # bytes of a file; a solution has three thousand
LARGEST_NOTEBOOK, LARGEST_ARCHIVE = 2**24, 2**26            # with its figures; in an archive
DEEPEST, MOST = 6, 20_000                       # folders in folders; entries of one
ARCHIVES = 16                                   # of a student that are opened
MISSING = "it is missing"
KINDS = (".py", ".ipynb", ".zip")
CANVAS = re.compile(r"(?P<name>[^_/]+)_(?:LATE_)?(?P<id>\d+)_(?P<upload>\d+)_(?P<file>[^/]+)")
MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?(?P<file>.*)")
COPY = re.compile(r"(?:[ _-]*(?:\(\d+\)|copy|kopie|copie)(?:[ _-]*\d+)?|-\d+)$", re.I)  # browsers'
SOLE = "<only>"                                 # stands for the name of a student's only file


class Unreadable(Exception):
    """Why a file is not read, in words for its author."""


@dataclass(frozen=True)
class Found:
    """A file in a folder or an archive: where it lies, and how at most so many of its bytes come.
    upload: of two under one name the later counts.
    """

    parts: tuple[str, ...]
    read: Callable[[int], bytes] = field(repr=False)
    upload: int = 0

    @property
    def name(self) -> str:
        return self.parts[-1]


@dataclass(frozen=True)
class Submission:
    """`files` holds what could be read, `problems` says of the other names why not; `notes`: what
    was made good. stem: how a platform's names of this student's files begin, for feedback.
    """

    student: str
    files: dict[str, bytes]
    problems: dict[str, str]
    notes: list[str] = field(default_factory=list)
    stem: str = ""

    @property
    def digest(self) -> str:
        rows = [*sorted(self.files.items()), *sorted(self.problems.items())]
        return hashlib.sha256(repr(rows).encode("utf-8", "replace")).hexdigest()


def collect(place: Path, names: list[str], say=lambda text: None, stubs=None) -> list[Submission]:
    """All submissions in a folder or an archive, in the order of their students' names. Raises
    UserError. stubs: see read_files.
    """
    place = Path(place)
    for name in (*names, "assignment.json", "secret.json", "key/secret.json"):
        if place.is_dir() and os.path.lexists(place / name):
            raise UserError(f"{place}: has {name} in it, so it is not a folder of submissions, "
                            "which holds a folder or a .zip for each student")
    if place.is_dir():
        files = in_folder(place)
    elif place.suffix.lower() == ".zip" and place.is_file():
        try:
            files = _in_archive(place)
        except Unreadable as error:
            raise UserError(f"{place}: {error}") from None
    else:
        raise UserError(f"{place}: no such folder or .zip of submissions")
    files = _without_outer(files, names, place, say)
    # only where every file at the top is named so: others' names have numbers in them, too
    canvas = all(CANVAS.fullmatch(found.name) for found in files if len(found.parts) == 1)
    students, passed_over = {}, []
    for found in files:
        if owner := _owner(found, canvas):
            students.setdefault(same_name(owner[0]), []).append(owner)
        else:
            passed_over.append(short(found.name))
    if passed_over:
        more = f" and {len(passed_over) - 10} more" if len(passed_over) > 10 else ""
        say(f"WARNING: {place}: not graded, because neither a folder nor a .zip, .py or .ipynb "
            f"file: {', '.join(passed_over[:10])}{more}. Unpack what is a submission into a "
            "folder of its student's name")
    if not students:
        raise UserError(f"{place}: no submissions in it (a folder or a .zip for each student)")
    return [_submission(owned, names, stubs or {}) for _, owned in sorted(students.items())]


def _without_outer(files, names, place, say):
    """The files without the folders that stand around all submissions: below them, two or more
    hold the same thing.
    """
    common = os.path.commonprefix([found.parts[:-1] for found in files])
    holders: dict[str, set] = {}
    for inside in (found.parts[len(common):] for found in files if common):
        if len(inside) > 1 or inside[0].lower().endswith(".zip"):
            wanted = next((name for name in names if same_name(name) == same_name(inside[-1])),
                          os.path.splitext(inside[-1])[1].lower())
            holders.setdefault(wanted, set()).add(inside[0])
    if max(map(len, holders.values()), default=0) < 2:
        return files
    say(f"{place}: the submissions are in {'/'.join(map(short, common))}")
    inside = [replace(found, parts=found.parts[len(common):]) for found in files]
    return [found for found in inside if found.parts != ("",)]


def _owner(found: Found, canvas: bool) -> tuple[str, str, Found] | None:
    """(student, stem, the file as it lies below the student) by a platform's pattern, the folder,
    or the name of the student's only file.
    """
    first, inside = found.parts[0], found.parts[1:]
    if of := MOODLE.fullmatch(first):
        who = f"{of['name']}_{of['id']}"
        return (who, f"{who}_assignsubmission_file_",
                replace(found, parts=inside or (of["file"] or first,)))
    if inside:
        return first, "", replace(found, parts=inside)
    if canvas and (of := CANVAS.fullmatch(first)):
        who = f"{of['name']}_{of['id']}"
        return (who, f"{who}_{of['upload']}_",
                replace(found, parts=(of["file"],), upload=int(of["upload"])))
    who, kind = os.path.splitext(first)
    if kind.lower() in KINDS and not who.startswith("."):
        return who, "", replace(found, parts=(SOLE + kind.lower(),))
    return None


def _submission(owned, names, stubs) -> Submission:
    """One student's files, of whatever there is under the name; never raises."""
    called = sorted({who for who, _, _ in owned})
    notes = []
    if len(called) > 1:
        notes = [f"handed in as {' and '.join(map(short, called))}: taken together"]
    made = read_files([found for _, _, found in owned if found.parts != ("",)], names, stubs)
    return replace(made, student=unicodedata.normalize("NFC", owned[0][0]), stem=owned[0][1],
                   notes=notes + made.notes)


def read_files(found: list[Found], names, stubs=None) -> Submission:
    """The wanted files among those found: under their names, else under names that can mean only
    them.

    stubs: {name: bytes} of the handout; a file that is still the stub counts only where nothing
    else does.
    """
    files, problems, notes, broken = {}, {}, [], []
    if not {*names} <= {_means(f.name, names) for f in found}:
        found = [*found, *_in_archives(found, broken)]
    for name in names:
        exact = [f for f in found if same_name(f.name) == same_name(name)]
        written = [f for f in exact if not _equals(f, (stubs or {}).get(name))]
        meant = [f for f in found if _means(f.name, names) == name and f not in exact]
        try:
            chosen = _choose(written or meant or exact, name, notes)
            if chosen is None and len(names) > 1 and any(f.name.startswith(f"{SOLE}.")
                                                         for f in found if not _is_zip(f)):
                raise Unreadable(f"one file was handed in where {len(names)} are asked for")
            if chosen is None:
                raise Unreadable(broken[0] if broken else MISSING + _instead(found, names))
            files[name] = _source(chosen, notes)
            if chosen.name != name and not chosen.name.startswith(f"{SOLE}."):
                notes.append(f"{short(chosen.name)} was taken as {name}")
        except Unreadable as error:
            problems[name] = str(error)
    return Submission("", files, problems, notes)


def _is_zip(found: Found) -> bool:
    return found.name.lower().endswith(".zip")


def _in_archives(found: list[Found], broken: list[str]) -> list[Found]:
    """The files in a student's archives, and in those that lie in them; in `broken` what is said of
    one that cannot be read.
    """
    inside, waiting = [], [f for f in found if _is_zip(f)][:ARCHIVES]
    for archive in waiting:  # grows while it is gone through
        try:
            members = _in_archive(io.BytesIO(archive.read(LARGEST_ARCHIVE)))
        except Unreadable as error:
            which = short(archive.name) if len(waiting) > 1 else "the archive"
            broken.append(f"{which} cannot be read ({error})")
            continue
        members = [replace(f, parts=archive.parts + f.parts, upload=archive.upload)
                   for f in members]
        inside += members
        waiting += [f for f in members if _is_zip(f)][:max(0, ARCHIVES - len(waiting))]
    return inside


def _choose(candidates: list[Found], name: str, notes) -> Found | None:
    """The topmost file, the latest upload. Raises Unreadable where two at one place differ."""
    if not candidates:
        return None
    depths = [len(f.parts) for f in candidates]
    best = [f for f in candidates if len(f.parts) == min(depths)]
    best = [f for f in best if f.upload == max(f.upload for f in best)]
    if len(best) > 1 and len({_bytes_or_place(f) for f in best}) > 1:
        places = ", ".join(short("/".join(f.parts)) for f in best[:4])
        raise Unreadable(f"it is there more than once: {places}")
    if len(candidates) > len(best):
        which = "topmost" if min(depths) < max(depths) else "latest"
        notes.append(f"of {len(candidates)} files {name} the {which} counts")
    return best[0]


def _bytes_or_place(found: Found):
    try:
        return found.read(LARGEST_NOTEBOOK)
    except Unreadable:
        return found.parts


def _equals(found: Found, stub: bytes | None) -> bool:
    data = _bytes_or_place(found) if stub is not None else ()
    return isinstance(data, bytes) and data.split() == stub.split()


def _means(file: str, names) -> str | None:
    """The wanted name that a file's name can only mean, in any case and any Unicode form:
    "attention (1).py", "03_attention.py.txt", "03_attention.ipynb".
    """
    stem, kind = os.path.splitext(same_name(file).removesuffix(".txt"))
    if kind not in (".py", ".ipynb"):
        return None
    while (shorter := COPY.sub("", stem)) != stem:
        stem = shorter
    stem = stem.strip(" _-")
    found = [name for name in names if stem in (name[:-3].lower(), name[3:-3].lower())
             or stem == SOLE and len(names) == 1]
    return found[0] if len(found) == 1 else None


def _source(found: Found, notes) -> bytes:
    """The bytes of a file; of a notebook, or of one that was turned into a script, what its cells
    define.
    """
    if not found.name.lower().removesuffix(".txt").endswith(".ipynb"):
        data = found.read(LARGEST)
        script = b"get_ipython()" in data
        return _defined([data.decode("utf-8", "replace")], notes) if script else data
    try:
        cells = json.loads(found.read(LARGEST_NOTEBOOK))["cells"]
        texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unreadable("it is not a notebook that can be read") from None
    return _defined(texts, notes)


def _defined(cells: list[str], notes) -> bytes:
    """The functions, classes, imports and constants that cells define, as one file."""
    kept = []
    for number, text in enumerate(cells, 1):
        magic = ("%", "!", "?", "get_ipython()")
        lines = [line for line in text.splitlines() if not line.lstrip().startswith(magic)]
        try:
            tree = ast.parse("" if text.lstrip().startswith("%%") else "\n".join(lines))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            notes.append(f"cell {number} of the notebook is not Python")
            continue
        for node in tree.body:
            if name_of(node) or isinstance(node, (ast.Import, ast.ImportFrom)):
                first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
                kept.append("\n".join(lines[first - 1:node.end_lineno]))
    return _at_most(("\n\n\n".join(kept) + "\n").encode("utf-8", "replace"), LARGEST)


# ---- Folders and archives ----------------------------------------------------------------------


def in_folder(folder, parts: tuple = ()) -> list[Found]:
    """The files below a folder, in order. Links are found, and say when they are read that they
    are not followed. An empty folder of a student is there as a file without a name.
    """
    nothing = Found((*parts, ""), lambda most: b"")
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)[:MOST]
    except OSError:
        return []
    found = [nothing] if parts and not entries else []
    for entry in (entry for entry in entries if not _hidden(entry.name)):
        at, read = (*parts, entry.name), partial(read_file, Path(entry.path))
        if not entry.is_dir(follow_symlinks=False):
            found.append(Found(at if parts or not entry.is_symlink() else (*at, ""), read))
            continue
        found += in_folder(entry.path, at) if len(parts) < DEEPEST else [nothing]
        if entry.name.lower().endswith(".py"):  # a folder with the name of a file
            found.append(Found(at, read))
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
            return _at_most(file.read(most + 1), most)
    except FileNotFoundError:
        raise Unreadable(MISSING) from None
    except OSError as error:
        raise Unreadable(f"it cannot be read ({error.strerror})") from None


def _at_most(data: bytes, most: int) -> bytes:
    if len(data) > most:
        raise Unreadable(f"it is larger than {most:,} bytes")
    return data


def _in_archive(file) -> list[Found]:
    """The files in a zip, its folders as files without a name; a path in it is only ever compared,
    never used. Raises Unreadable.
    """
    try:
        archive = zipfile.ZipFile(file)
        members = archive.infolist()[:MOST]
    except Exception as error:                  # zlib and lzma have errors of their own
        raise Unreadable(type(error).__name__) from None
    found = []
    for member in members:
        *folders, name = parts = member.filename.replace("\\", "/").split("/")
        odd = not {"", ".."}.isdisjoint(folders) or any(map(_hidden, parts))
        if not odd and len(folders) <= DEEPEST:
            found.append(Found(tuple(parts), partial(_member, archive, member)))
    return sorted(found, key=lambda f: f.parts)


def _member(archive, member, most: int) -> bytes:
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        raise Unreadable("it is not an ordinary file")
    try:
        with archive.open(member) as file:
            data = file.read(most + 1)
    except Exception as error:
        raise Unreadable(f"the archive cannot be read ({type(error).__name__})") from None
    return _at_most(data, most)


def _hidden(name: str) -> bool:
    return name.startswith(("__", ".")) and name.lower() != ".zip"


def _instead(found, names) -> str:
    """What is there under other names, for a message about a file that is missing."""
    others = sorted({short(f.name) for f in found
                     if f.name and not f.name.startswith(f"{SOLE}.") and not _means(f.name, names)})
    return f"; handed in: {', '.join(others[:5])}{' and others' * (len(others) > 5)}" * bool(others)


def short(name: str) -> str:
    """A stranger's file name on one line, not long."""
    return printable(name, 60, quoted=False)
