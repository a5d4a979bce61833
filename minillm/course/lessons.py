"""Where the lessons are, and the reader's own copies.

    lessons/NN_name/   in a clone beside the package, in an installed package inside it (the build puts them there); only read
    ~/minillm-course/  the reader's: NN_name/exercise.py, figures and results of demos, notebooks; progress.json
"""

import ast
import os
import re
import shutil
import sys
import tomllib
import types
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import minillm
from minillm.errors import UserError
from minillm.files import make_folder, read_json, write_json

PACKAGE = Path(minillm.__file__).parent
FRONT = re.compile(r"\A\+\+\+\n(.*?)\n\+\+\+\n", re.DOTALL)


@dataclass(frozen=True)
class Lesson:
    """One lesson: `front` is the front matter of its lesson.md, `text` the rest (see lessons/README.md)."""

    folder: Path
    front: dict
    text: str

    @property
    def name(self) -> str:
        """01_tokens"""
        return self.folder.name

    @property
    def number(self) -> str:
        """01"""
        return self.name[:2]

    @property
    def title(self) -> str:
        return self.front["title"]


def lessons_folder() -> Path:
    """Where the lessons lie: inside an installed package, beside it in a clone. Raises UserError."""
    for folder in (PACKAGE / "_lessons", PACKAGE.parent / "lessons"):
        if folder.is_dir():
            return folder
    raise UserError(
        f"{PACKAGE}: this installation came without lessons: work in a clone of the repository")


def all_lessons() -> list[Lesson]:
    """Every lesson, in order."""
    return [read_lesson(path.parent)
            for path in sorted(lessons_folder().glob("[0-9][0-9]_*/lesson.md"))]


def read_lesson(folder: Path) -> Lesson:
    """The lesson in `folder`. Raises UserError for front matter that is none."""
    text = (folder / "lesson.md").read_text(encoding="utf-8")
    match = FRONT.match(text)
    try:
        front = tomllib.loads(match[1])
        front["title"]
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(f"{folder / 'lesson.md'}: needs front matter between two lines of +++, with a title ({error})") from None
    return Lesson(folder, front, text[match.end():])


def find(which: str) -> Lesson:
    """The lesson that a number (1, 01) or a name (01_tokens, tokens) means. Raises UserError."""
    lessons = all_lessons()
    for lesson in lessons:
        if which in (lesson.name,
                     lesson.name[3:]) or which.isdigit() and int(which) == int(lesson.number):
            return lesson
    raise UserError(f"lesson {which!r}: there is none of this number or name; there are "
                    f"{', '.join(lesson.name for lesson in lessons)}")


def load_module(path, name: str):
    """Run a Python file as the module `name`, without leaving anything in sys.modules or on disk. How it is encoded is Python's business."""
    module = types.ModuleType(name)
    module.__file__ = str(path)
    code = compile(Path(path).read_bytes(), str(path), "exec", dont_inherit=True)
    sys.modules[name] = module               # dataclasses look their own module up
    try:
        exec(code, module.__dict__)
    finally:
        del sys.modules[name]
    return module


# ---- The reader's folder --------------------------------------------------------------------------------

def course_folder(folder=None) -> Path:
    """Where the reader works: `folder`, by default minillm-course in the home folder."""
    return Path(folder) if folder else Path.home() / "minillm-course"


def own_folder(lesson: Lesson, folder=None) -> Path:
    """The reader's folder of one lesson, made if need be."""
    return make_folder(course_folder(folder) / lesson.name)


def own_exercise(lesson: Lesson, folder=None) -> tuple[Path, bool]:
    """The reader's copy of the exercise, made on first use and never overwritten; was it made now?"""
    path = own_folder(lesson, folder) / "exercise.py"
    if path.exists():
        return path, False
    shutil.copyfile(lesson.folder / "exercise.py", path)
    return path, True


def progress(folder=None) -> dict:
    """{"lessons": {name: {"run": time, "points": best, "of": n, "checked": time}}}, empty before the first."""
    path = course_folder(folder) / "progress.json"
    return read_json(path) if path.exists() else {"lessons": {}}


def remember(lesson: Lesson, folder=None, **facts):
    """Add facts about a lesson to progress.json; the best score is kept."""
    known = progress(folder)
    entry = known.setdefault("lessons", {}).setdefault(lesson.name, {})
    if "points" in facts and facts["points"] <= entry.get("points", -1):
        facts = {name: value for name, value in facts.items()
                 if name not in ("points", "of", "passed")}
    entry.update(facts)
    make_folder(course_folder(folder))
    write_json(course_folder(folder) / "progress.json", known)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


# ---- What a lesson asks, and how far the reader is ------------------------------------------------------

def with_package() -> dict:
    """The environment in which a demo finds this package, installed or not, and leaves no bytecode beside the lesson."""
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def tasks_of(lesson: Lesson) -> list[tuple[str, int]]:
    """(name, points) of each task of a lesson's exercise, read from the source of its checks."""
    tree = ast.parse((lesson.folder / "test_exercise.py").read_text(encoding="utf-8"))
    tasks = [node for node in ast.walk(tree) if isinstance(node, ast.Call)
             and isinstance(node.func, ast.Name) and node.func.id in ("Task", "number")]
    return [(task.args[0].value,
             next((word.value.value for word in task.keywords if word.arg == "points"), 1))
            for task in sorted(tasks, key=lambda node: node.lineno)]


def points_of(lesson: Lesson) -> int:
    """The points of a lesson's exercise."""
    return sum(points for _, points in tasks_of(lesson))


def time_of(lesson: Lesson) -> str:
    """How long a lesson takes with pencil and exercise, as its front matter says."""
    return duration(lesson.front["pencil"]) if "pencil" in lesson.front else "-"


def duration(minutes: int) -> str:
    """50 min; 2 h; 2.5 h"""
    return f"{minutes} min" if minutes < 60 else f"{minutes / 60:.2g} h"


def complete(entry: dict) -> bool:
    """Does an entry of progress.json hold all points of its lesson?"""
    return "points" in entry and entry["points"] == entry.get("of")


def progress_line(folder=None) -> str:
    """A bar over all lessons, how many are complete, and the points so far."""
    lessons, known = all_lessons(), progress(folder).get("lessons", {})
    entries = [known.get(lesson.name, {}) for lesson in lessons]
    bar = "".join("█" if complete(entry) else "▒" if entry.get("points") else "·"
                  for entry in entries)
    points, of = sum(entry.get("points", 0) for entry in entries), sum(map(points_of, lessons))
    return f"{bar}  {sum(map(complete, entries))} of {len(lessons)} lessons complete, {points} of {of} points"


def next_step(lesson: Lesson) -> str:
    """What to do after a lesson: the next one with its question, or what follows the course."""
    following = [other for other in all_lessons() if other.number > lesson.number]
    if following:
        other = following[0]
        return f"Next: lesson {other.number}, {other.title}. {other.front.get('question', '')}\n" \
               f"  minillm lesson open {int(other.number)}"
    return ("This was the last lesson. What next: train a model on a text of your own\n"
            "  minillm pretrain YOUR_TEXT.txt --out runs/mine\n"
            "open the report on a model\n  minillm inspect runs/mine\n"
            "and read the package itself, beginning with minillm/in_numpy/model.py.")
