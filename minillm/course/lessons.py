"""Where the lessons are, and the reader's own copies: `minillm lesson`.

    lessons/NN_name/   in a clone beside the package, in an installed package inside it (the build puts them there); only read
    ~/minillm-course/  the reader's: NN_name/exercise.py, figures and results of demos, notebooks; progress.json
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import types
from dataclasses import dataclass
from datetime import datetime, timezone
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
    raise UserError(f"{PACKAGE}: this installation came without lessons: work in a clone of the repository")


def all_lessons() -> list[Lesson]:
    """Every lesson, in order."""
    return [read_lesson(path.parent) for path in sorted(lessons_folder().glob("[0-9][0-9]_*/lesson.md"))]


def read_lesson(folder: Path) -> Lesson:
    """The lesson in `folder`. Raises UserError for front matter that is none."""
    text = (folder / "lesson.md").read_text(encoding="utf-8")
    found = FRONT.match(text)
    try:
        front = tomllib.loads(found[1])
        front["title"]
    except (TypeError, KeyError, ValueError) as error:
        raise UserError(f"{folder / 'lesson.md'}: needs front matter between two lines of +++, with a title ({error})") from None
    return Lesson(folder, front, text[found.end():])


def find(which: str) -> Lesson:
    """The lesson that a number (1, 01) or a name (01_tokens, tokens) means. Raises UserError."""
    lessons = all_lessons()
    for lesson in lessons:
        if which in (lesson.name, lesson.name[3:]) or which.isdigit() and int(which) == int(lesson.number):
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
        facts = {name: value for name, value in facts.items() if name not in ("points", "of", "passed")}
    entry.update(facts)
    make_folder(course_folder(folder))
    write_json(course_folder(folder) / "progress.json", known)


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


# ---- What the command does ------------------------------------------------------------------------------

def run_demo(lesson: Lesson, folder=None, full: bool = False) -> int:
    """Run the lesson's demo in a process of its own; figures and results.json go to the reader's folder."""
    out = own_folder(lesson, folder)
    command = [sys.executable, str(lesson.folder / "demo.py"), "--out", str(out), *(["--full"] if full else [])]
    status = subprocess.run(command, env=with_package()).returncode
    if status == 0:
        remember(lesson, folder, run=now())
        print(f"\nresults.json and the figures are in {out}. Next: minillm lesson check {lesson.number}")
    return 1 if status else 0


def with_package() -> dict:
    """The environment in which a demo finds this package, installed or not, and leaves no bytecode beside the lesson."""
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def command(options) -> int:
    """`minillm lesson ACTION`."""
    if options.action == "list":
        return show_list(options.folder)
    lesson = find(options.lesson)
    if options.action == "run":
        return run_demo(lesson, options.folder, options.full)
    if options.action == "check":
        return check(lesson, options)
    if options.action == "notebook":
        from minillm.course.notebooks import write_notebook
        path = write_notebook(lesson, own_folder(lesson, options.folder))
        print(f"{path}: open it with jupyter lab, or in your editor")
        return 0
    return open_lesson(lesson, options)


def show_list(folder=None) -> int:
    """A table of the lessons, and how far the reader is."""
    from rich.console import Console
    from rich.table import Table
    known, grid = progress(folder).get("lessons", {}), Table("", "lesson", "question", "demo run", "points", header_style="bold")
    for lesson in all_lessons():
        entry = known.get(lesson.name, {})
        score = f"{entry['points']} of {entry['of']}" if "points" in entry else "-"
        grid.add_row(lesson.number, lesson.title, lesson.front.get("question", ""), "yes" if "run" in entry else "-", score)
    Console().print(grid)
    print("minillm lesson open 1 shows a lesson, run 1 its demonstration, check 1 checks your exercise.")
    return 0


def check(lesson: Lesson, options) -> int:
    """Check the reader's copy, or FILE; 0 if every task passes, 1 otherwise."""
    from minillm.course.checking import check as judge
    file = Path(options.file) if options.file else None
    if file is None:
        file, new = own_exercise(lesson, options.folder)
        if new:
            print(f"your copy of the exercise is now {file}: write in it, then run this again")
    report = judge(lesson.folder, file, options.seed)
    if not options.file:
        remember(lesson, options.folder, points=report["points"], of=report["of"], checked=now(),
                 passed=[task["name"] for task in report["tasks"] if task["status"] == "passed"])
    print(json.dumps(report)) if options.json else show_report(report)
    return 0 if report["points"] == report["of"] else 1


def show_report(report: dict):
    """The report as a person reads it: a line a task, below it the hint."""
    from rich.console import Console
    from rich.markup import escape
    from rich.padding import Padding
    console = Console(highlight=False, force_jupyter=False)
    words = {"passed": "passed", "failed": "not yet", "error": "not yet", "timeout": "too slow", "todo": "to do", "waits": "waits"}
    colours = {"passed": "green", "failed": "red", "error": "red", "timeout": "red"}
    if report["printed"]:
        console.print("what the file printed:", style="dim")
        console.print(Padding(escape(report["printed"].rstrip()), (0, 0, 1, 4)))
    for task in report["tasks"]:
        console.print(f"[{colours.get(task['status'], 'default')}]{words[task['status']]:>8}[/]  [bold]{task['name']}[/]  " + (f"{task['earned']} of {task['points']}" if task["points"] else "for practice"))
        if task["message"] and (task["status"] != "todo" or "there is no" in task["message"]):
            console.print(Padding(escape(task["message"]), (0, 2, 0, 10)))
        if task.get("example") and task["hint"] is None:
            console.print(Padding(escape(task["example"]), (0, 2, 0, 10)))
    console.print(f"\n{report['points']} of {report['of']} points  (--seed {report['seed']} judges with the same inputs again)")


def open_lesson(lesson: Lesson, options) -> int:
    """Show the lesson's page in the browser, and say where the reader's exercise is."""
    from minillm.course.pages import as_html
    exercise, _ = own_exercise(lesson, options.folder)
    page = own_folder(lesson, options.folder) / "lesson.html"
    page.write_text(as_html(lesson), encoding="utf-8")
    print(f"lesson: {page}\nexercise: {exercise}")
    if not options.no_browser:
        import webbrowser
        webbrowser.open(page.resolve().as_uri())
    return 0
