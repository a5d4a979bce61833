"""What an assignment is: lessons with points, a time, limits. The same assignment.json lies in
the handout and in the key.

hw1/handout/  for students: README.md AGENTS.md assignment.json minillm_course-*.whl checks/NN_name
              NN_name.py NN_name.ipynb NN_name.html: the stub, the same as a notebook, the lesson
hw1/key/      for the teacher: assignment.json secret.json proof.json
              lessons/NN_name/: checks, reference, stub
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from minillm.course.process import Limits
from minillm.errors import UserError
from minillm.files import read_json

FORMAT = 2


@dataclass(frozen=True)
class Part:
    """One lesson of an assignment: the file that a student hands in is NN_name.py. `points` by
    task, `about` in words.

    practice: tasks without points, because their right answer is always the same, so that it
    could be given without the function; see making.prove. libraries: what a submission may import
    besides Python's own library.
    """

    name: str
    title: str
    points: dict[str, float]
    about: dict[str, str]
    practice: list[str] = field(default_factory=list)
    libraries: list[str] = field(default_factory=lambda: ["numpy"])

    @property
    def number(self) -> str:
        return self.name[:2]

    @property
    def file(self) -> str:
        return f"{self.name}.py"

    @property
    def of(self) -> float:
        return rounded(sum(self.points.values()))


@dataclass(frozen=True)
class Assignment:
    """`due` in ISO 8601 with its offset from UTC, or None; `late`: percent of the points that
    each day begun after it costs; `grace`: minutes after it that cost nothing; `install`: what
    pip installs for students, in the handout's folder."""

    title: str
    parts: list[Part]
    due: str | None = None
    late: float = 0.0
    grace: float = 15.0
    limits: Limits = field(default_factory=Limits)
    install: str | None = None
    format: int = FORMAT

    @property
    def of(self) -> float:
        return rounded(sum(part.of for part in self.parts))

    @property
    def files(self) -> list[str]:
        return [part.file for part in self.parts]


def read_assignment(folder: Path) -> Assignment:
    """The assignment of a handout or a key. Raises UserError."""
    path = Path(folder) / "assignment.json"
    values = read_json(path)
    if values.get("format", FORMAT) != FORMAT:
        raise UserError(f"{path}: format {values['format']!r}; this minillm knows {FORMAT}: "
                        "install the one that made it")
    try:
        parts = [Part(**part) for part in values["parts"]]
        if not parts or any(Path(part.file).name != part.file or not part.number.isdigit()
                            for part in parts):
            raise ValueError("names of lessons")
        return Assignment(**values | {"parts": parts, "limits": Limits(**values["limits"])})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise UserError(f"{path}: not an assignment ({what})") from None


def find_key(path) -> Path:
    """The key in a folder: itself, or the `key` in what `minillm assignment new` made. Raises
    UserError.
    """
    return _find(path, "key", ["secret.json"], "no key of an assignment (the folder with "
                 "secret.json that minillm assignment new made)")


def find_handout(path) -> Path:
    """The handout in a folder. Raises UserError."""
    return _find(path, "handout", ["assignment.json", "checks"], "no handout of an assignment "
                 "(the folder with assignment.json and checks): go there first, or name it")


def _find(path, name: str, has: list[str], lacks: str) -> Path:
    for folder in (Path(path), Path(path) / name):
        if all((folder / file).exists() for file in has):
            return folder
    raise UserError(f"{path}: {lacks}")


def digest_of(folder: Path) -> str:
    """A fingerprint of every file in a folder."""
    total = hashlib.sha256()
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            data = path.read_bytes()
            total.update(f"{path.relative_to(folder).as_posix()}\n{len(data)}\n".encode() + data)
    return total.hexdigest()


def moment(text: str, what: str) -> datetime:
    """A time in ISO 8601; without an offset it is UTC. Raises UserError."""
    try:
        time = datetime.fromisoformat(text.strip())
    except (ValueError, AttributeError):
        raise UserError(f"{what} is {text!r}: it must be a time such as "
                        "2026-10-01T23:59+02:00") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def days_late(assignment: Assignment, handed_in: str | None) -> int:
    """Days begun between the due time with its grace and when it was handed in; 0 where either is
    not known.
    """
    if not assignment.due or not handed_in:
        return 0
    late = moment(handed_in, "a time of handing in") - moment(assignment.due, "due")
    seconds = late.total_seconds() - 60 * assignment.grace
    return int(seconds // 86400) + 1 if seconds > 0 else 0


def after_lateness(assignment: Assignment, earned: float, days: int) -> float:
    """The points that are left."""
    return rounded(earned * max(0.0, 1 - assignment.late / 100 * days))


def rounded(points: float) -> float:
    """To two digits; a whole number where it is one."""
    points = round(points + 1e-9, 2)
    return int(points) if points == int(points) else points
