"""Where the lessons are, and the reader's own copies: `minillm lesson`.

    lessons/NN_name/   in a clone beside the package, in an installed package inside it (the build puts them there); only read
    ~/minillm-course/  the reader's: NN_name/exercise.py, figures and results of demos, notebooks; progress.json
"""

import ast
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
    exercise, _ = own_exercise(lesson, folder)
    out = exercise.parent
    command = [sys.executable, str(lesson.folder / "demo.py"), "--out", str(out), *(["--full"] if full else [])]
    status = subprocess.run(command, env=with_package()).returncode
    if status == 0:
        remember(lesson, folder, run=now())
        print(f"Next: the exercise, {out / 'exercise.py'}\n      minillm lesson check {int(lesson.number)}")
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
    if options.action == "solution":
        return solution(lesson, options)
    if options.action == "notebook":
        from minillm.course.notebooks import write_notebook
        path = write_notebook(lesson, own_folder(lesson, options.folder))
        print(f"{path}: open it in your editor, or with\n  {sys.executable} -m jupyter lab {path}")
        return 0
    return open_lesson(lesson, options)


def show_list(folder=None) -> int:
    """A table of the lessons, and how far the reader is."""
    from rich.console import Console
    from rich.table import Table
    lessons, known = all_lessons(), progress(folder).get("lessons", {})
    grid = Table("", "lesson and its question", "time", "points", header_style="bold", pad_edge=False)
    grid.columns[2].justify = grid.columns[3].justify = "right"
    grid.columns[2].no_wrap = grid.columns[3].no_wrap = True
    for lesson in lessons:
        entry = known.get(lesson.name, {})
        of = points_of(lesson)
        score = f"{entry['points']} of {of}" if "points" in entry else f"{of}"
        title = f"[bold]{lesson.title}[/]{' (demo run)' if 'run' in entry else ''}"
        grid.add_row(lesson.number, f"{title}\n{lesson.front.get('question', '')}", time_of(lesson), score)
    console = Console(highlight=False)
    console.print(grid)
    console.print(progress_line(folder))
    todo = next((lesson for lesson in lessons if not complete(known.get(lesson.name, {}))), None)
    number = int(todo.number) if todo else 1
    console.print(f"minillm lesson open {number} shows a lesson, run {number} runs its demonstration,\n"
                  f"check {number} checks your exercise, solution {number} shows ours.")
    return 0


def tasks_of(lesson: Lesson) -> list[tuple[str, int]]:
    """(name, points) of each task of a lesson's exercise, read from the source of its checks."""
    tree = ast.parse((lesson.folder / "test_exercise.py").read_text(encoding="utf-8"))
    tasks = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
             and node.func.id in ("Task", "number")]
    return [(task.args[0].value, next((word.value.value for word in task.keywords if word.arg == "points"), 1))
            for task in sorted(tasks, key=lambda node: node.lineno)]


def points_of(lesson: Lesson) -> int:
    """The points of a lesson's exercise."""
    return sum(points for _, points in tasks_of(lesson))


def time_of(lesson: Lesson) -> str:
    """How long a lesson takes with pencil and exercise, as its front matter says."""
    minutes = lesson.front.get("pencil")
    return "-" if minutes is None else f"{minutes} min" if minutes < 60 else f"{minutes / 60:.2g} h"


def complete(entry: dict) -> bool:
    """Does an entry of progress.json hold all points of its lesson?"""
    return "points" in entry and entry["points"] == entry.get("of")


def progress_line(folder=None) -> str:
    """A bar over all lessons, how many are complete, and the points so far."""
    lessons, known = all_lessons(), progress(folder).get("lessons", {})
    entries = [known.get(lesson.name, {}) for lesson in lessons]
    bar = "".join("█" if complete(entry) else "▒" if entry.get("points") else "·" for entry in entries)
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


def check(lesson: Lesson, options) -> int:
    """Check the reader's copy, or FILE; 0 if every task passes, 1 otherwise."""
    from minillm.course.checking import check as judge
    file, new = Path(options.file) if options.file else None, False
    if file is None:
        file, new = own_exercise(lesson, options.folder)
        if new:
            print(f"your copy of the exercise is now\n  {file}\nwrite in it, then run this again")
    refuse_package(file)
    report = judge(lesson.folder, file, options.seed)
    if not options.file:
        remember(lesson, options.folder, points=report["points"], of=report["of"], checked=now(),
                 passed=[task["name"] for task in report["tasks"] if task["status"] == "passed"])
    if options.json:
        print(json.dumps(report))
    else:
        show_report(report)
        if report["points"] < report["of"]:
            print(f"your file: {file}" if not new else "")
        else:
            after_full_points(lesson, file, None if options.file else options.folder, own=not options.file)
    return 0 if report["points"] == report["of"] else 1


def after_full_points(lesson: Lesson, file: Path, folder, own: bool):
    """Compare the reader's code with the package's, offer the solution, and say what comes next."""
    from rich.console import Console
    from minillm.course.solutions import comparison
    console = Console(highlight=False)
    if rows := comparison(lesson, file):
        console.print("\nWell done. Lines of code: yours, and in the package, where it is read in earnest", style="bold")
        for row in rows:
            console.print(f"  {row}", soft_wrap=True)
    console.print(f"\nThe reference solution, with a discussion:\n  minillm lesson solution {int(lesson.number)}")
    console.print(next_step(lesson))
    if own:
        console.print(f"\n{progress_line(folder)}")


def solution(lesson: Lesson, options) -> int:
    """Show the reference solution and its discussion, once the check has passed or with --show."""
    from rich.console import Console
    from minillm.course.solutions import WIDTH, show_solution
    entry = progress(options.folder).get("lessons", {}).get(lesson.name, {})
    if not complete(entry) and not options.show:
        score = f"you have {entry['points']} of {entry['of']} points" if "points" in entry else "it was not checked yet"
        raise UserError(f"lesson {lesson.number}: the solution is shown when your exercise has all points ({score}); "
                        "with --show it is shown now")
    console = Console(highlight=False)
    show_solution(lesson, Console(highlight=False, width=min(WIDTH, console.width)))
    return 0


def refuse_package(file: Path):
    """Raise UserError for an exercise that imports minillm: there the functions are written already."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return                                                   # the check says what is wrong with it
    for node in ast.walk(tree):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else \
            [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if any(name.partition(".")[0] == "minillm" for name in names):
            raise UserError(f"{file}: line {node.lineno} imports minillm, where the functions of the exercise are written "
                            "already; a grader does not have it: write them yourself and take the import out")


def show_report(report: dict):
    """The report as a person reads it: a line for each task, below it the hint."""
    from rich.console import Console
    from rich.markup import escape
    from rich.padding import Padding
    console = Console(highlight=False, force_jupyter=False)
    if report["printed"]:
        console.print("what the file printed:", style="dim")
        console.print(Padding(escape(shortened(report["printed"])), (0, 0, 1, 4)))
    for task in report["tasks"]:
        show_task(task, console)
    console.print(f"\n{report['points']} of {report['of']} points  (--seed {report['seed']} uses the same inputs again)")


def shortened(printed: str, most: int = 10) -> str:
    """The first lines of what an exercise printed; a warning names the line of the file, not where it was run."""
    lines = re.sub(r"\S*the_exercise\.py:(\d+): *", r"line \1 of your file: ", printed).rstrip().splitlines()
    more = [f"... and {len(lines) - most} more lines"] if len(lines) > most else []
    return "\n".join([line[:300] for line in lines[:most]] + more)


def show_task(task: dict, console):
    """One task: its status and points, what is wrong, and the smallest input that fails where no hint explains it."""
    from rich.markup import escape
    from rich.padding import Padding
    words = {"passed": "passed", "todo": "to do", "waits": "waits", "timeout": "too slow"}
    colours = {"passed": "green", "failed": "red", "error": "red", "timeout": "red"}
    points = f"{task['earned']} of {task['points']}" if task["points"] else "for practice"
    console.print(f"[{colours.get(task['status'], 'default')}]{words.get(task['status'], 'not yet'):>8}[/]  "
                  f"[bold]{task['name']}[/]  {points}")
    if task["message"] and (task["status"] != "todo" or "there is no" in task["message"]):
        console.print(Padding(escape(task["message"]), (0, 2, 0, 10)))
    if task.get("example") and task["hint"] is None:
        console.print(Padding(escape(task["example"]), (0, 2, 0, 10)))


def open_lesson(lesson: Lesson, options) -> int:
    """Show the lesson's page in the browser, say where the exercise is, and write the pages it links to."""
    from minillm.course.opened import Pages
    exercise, _ = own_exercise(lesson, options.folder)
    pages = Pages(course_folder(options.folder) / "pages")
    page = pages.write(lesson)
    print(f"lesson: {page}\nexercise: {exercise}", flush=True)
    if not options.no_browser:
        import webbrowser
        webbrowser.open(page.resolve().as_uri())
    if missing := pages.missing():
        print(f"writing the {len(missing)} pages that it links to, once; the page can be read meanwhile", flush=True)
        pages.write_missing()
    return 0
