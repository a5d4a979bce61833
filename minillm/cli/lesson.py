"""The course: `minillm lesson ACTION`. Where lessons are and what they hold: minillm/course/."""

import ast
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from minillm.cli.options import add_json
from minillm.cli.parsing import add_command
from minillm.errors import UserError


def add_commands(commands):
    """Add the command of this file."""
    command = add_command(commands, "lesson", None,
                          "the course: read a lesson, run its demo, check your exercise",
                          "minillm lesson list\n  minillm lesson check 1")
    actions = command.add_subparsers(required=True, metavar="list|open|run|check|solution|notebook")
    add_list(actions)
    add_open(actions)
    add_run(actions)
    add_check(actions)
    add_solution(actions)
    add_notebook(actions)


def add_action(actions, name: str, run, help: str):
    """An action on one lesson."""
    action = add_command(actions, name, run, help, f"minillm lesson {name} 1")
    action.add_argument("lesson", metavar="LESSON", help="its number, or its name")
    add_folder(action)
    return action


def add_folder(action):
    """Where the reader's files are."""
    action.add_argument("--folder", metavar="DIR",
                        help="where you work (default: minillm-course in your home folder)")


# ---- list ------------------------------------------------------------------------------------


def add_list(actions):
    add_folder(add_command(actions, "list", show_list, "the lessons, and how far you are",
                           "minillm lesson list"))


def show_list(options):
    """Print a table of the lessons, and how far the reader is."""
    from rich.console import Console
    from rich.table import Table

    from minillm.course.lessons import (
        all_lessons,
        complete,
        points_of,
        progress,
        progress_line,
        time_of,
    )

    lessons = all_lessons()
    known = progress(options.folder).get("lessons", {})
    grid = Table("", "lesson and its question", "time", "points", header_style="bold",
                 pad_edge=False)
    for column in grid.columns[2:]:
        column.justify, column.no_wrap = "right", True
    for lesson in lessons:
        entry, of = known.get(lesson.name, {}), points_of(lesson)
        score = f"{entry['points']} of {of}" if "points" in entry else f"{of}"
        title = f"[bold]{lesson.title}[/]{' (demo run)' if 'run' in entry else ''}"
        question = lesson.front.get("question", "")
        grid.add_row(lesson.number, f"{title}\n{question}", time_of(lesson), score)
    console = Console(highlight=False)
    console.print(grid)
    console.print(progress_line(options.folder))
    todo = (lesson for lesson in lessons if not complete(known.get(lesson.name, {})))
    number = int(next(todo, lessons[0]).number)
    console.print(
        f"minillm lesson open {number} shows a lesson, run {number} runs its demonstration,\n"
        f"check {number} checks your exercise, solution {number} shows ours.")


# ---- open ------------------------------------------------------------------------------------


def add_open(actions):
    action = add_action(actions, "open", open_lesson,
                        "show a lesson in the browser, and where your copy of its exercise is")
    action.add_argument("--no-browser", action="store_true", help="only say where the files are")


def open_lesson(options):
    """Show the lesson's page in the browser, say where the exercise is, and write the pages it
    links to."""
    from minillm.course import lessons
    from minillm.course.opened import Pages

    lesson = lessons.find(options.lesson)
    exercise, _ = lessons.own_exercise(lesson, options.folder)
    pages = Pages(lessons.course_folder(options.folder) / "pages")
    page = pages.write(lesson)
    print(f"lesson: {page}\nexercise: {exercise}", flush=True)
    if not options.no_browser:
        import webbrowser

        webbrowser.open(page.resolve().as_uri())
    if missing := pages.missing():
        print(f"writing the {len(missing)} pages that it links to, once; the page can be read "
              "meanwhile", flush=True)
        pages.write_missing()


# ---- run -------------------------------------------------------------------------------------


def add_run(actions):
    action = add_action(actions, "run", run_demo,
                        "run the demo of a lesson: a table, figures and results.json")
    action.add_argument("--full", action="store_true",
                        help="the slower version, where a lesson has one")


def run_demo(options) -> int:
    """Run the lesson's demo in a process of its own; figures and results.json go to the reader's
    folder."""
    from minillm.course import lessons

    lesson = lessons.find(options.lesson)
    exercise, _ = lessons.own_exercise(lesson, options.folder)
    command = [sys.executable, str(lesson.folder / "demo.py"), "--out", str(exercise.parent)]
    if options.full:
        command.append("--full")
    if subprocess.run(command, env=lessons.with_package()).returncode:
        return 1
    lessons.remember(lesson, options.folder, run=lessons.now())
    print(f"Next: the exercise, {exercise}\n      minillm lesson check {int(lesson.number)}")
    return 0


# ---- check -----------------------------------------------------------------------------------


def add_check(actions):
    action = add_action(actions, "check", check,
                        "check your copy of the exercise; it is made on the first use")
    action.add_argument("file", nargs="?", metavar="FILE", help="check this file instead")
    action.add_argument("--seed", type=int, metavar="N",
                        help="of the random inputs (default: new ones each time)")
    add_json(action)


def check(options) -> int:
    """Check the reader's copy, or FILE; 0 if every task passes, 1 otherwise."""
    from minillm.course import checking, lessons
    from minillm.course.report import show_report

    lesson = lessons.find(options.lesson)
    own = not options.file
    file, new = lessons.own_exercise(lesson, options.folder) if own else (Path(options.file), False)
    if new:
        print(f"your copy of the exercise is now\n  {file}\nwrite in it, then run this again")
    refuse_package(file)
    report = checking.check(lesson.folder, file, options.seed)
    all_points = report["points"] == report["of"]
    if own:
        passed = [task["name"] for task in report["tasks"] if task["status"] == "passed"]
        lessons.remember(lesson, options.folder, points=report["points"], of=report["of"],
                         checked=lessons.now(), passed=passed)
    if options.json:
        print(json.dumps(report))
    else:
        show_report(report)
        if all_points:
            after_full_points(lesson, file)
            if own:
                print(f"\n{lessons.progress_line(options.folder)}")
        else:
            print("" if new else f"your file: {file}")
    return 0 if all_points else 1


def refuse_package(file: Path):
    """Raise UserError for an exercise that imports minillm: its functions are written there."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return  # the check says what is wrong with it
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        if any(name.partition(".")[0] == "minillm" for name in names):
            raise UserError(
                f"{file}: line {node.lineno} imports minillm, where the functions of the exercise "
                "are written already; a grader does not have it: write them yourself and take the "
                "import out")


def after_full_points(lesson, file: Path):
    """Compare the reader's code with the package's, offer the solution, and say what comes next."""
    from rich.console import Console

    from minillm.course.lessons import next_step
    from minillm.course.solutions import comparison

    console = Console(highlight=False)
    if rows := comparison(lesson, file):
        console.print(
            "\nWell done. Lines of code: yours, those of the package, and where it has them",
            style="bold")
        for row in rows:
            console.print(f"  {row}", soft_wrap=True)
    number = int(lesson.number)
    console.print(
        f"\nThe reference solution, with a discussion:\n  minillm lesson solution {number}")
    console.print(next_step(lesson))


# ---- solution and notebook -------------------------------------------------------------------


def add_solution(actions):
    action = add_action(
        actions, "solution", solution,
        "show the reference solution with a discussion, once your exercise has all points")
    action.add_argument("--show", action="store_true",
                        help="show it before your exercise has all points")


def solution(options):
    """Show the reference solution and its discussion, once the check has passed or with --show."""
    from rich.console import Console

    from minillm.course import lessons
    from minillm.course.solutions import WIDTH, show_solution

    lesson = lessons.find(options.lesson)
    entry = lessons.progress(options.folder).get("lessons", {}).get(lesson.name, {})
    if not lessons.complete(entry) and not options.show:
        score = "it was not checked yet"
        if "points" in entry:
            score = f"you have {entry['points']} of {entry['of']} points"
        raise UserError(
            f"lesson {lesson.number}: the solution is shown when your exercise has all points "
            f"({score}); with --show it is shown now")
    width = min(WIDTH, Console().width)
    show_solution(lesson, Console(highlight=False, width=width))


def add_notebook(actions):
    add_action(actions, "notebook", notebook, "write the lesson as a Jupyter notebook")


def notebook(options):
    """Write the lesson as a notebook, and say how to open it."""
    from minillm.course.lessons import find, own_folder
    from minillm.course.notebooks import write_notebook

    lesson = find(options.lesson)
    path = write_notebook(lesson, own_folder(lesson, options.folder))
    lab = f"{sys.executable} -m jupyter lab {path}"
    if not find_spec("jupyterlab"):
        lab = f"{sys.executable} -m pip install jupyterlab\n  {lab}"
    print(f"{path}: open it in your editor, or with\n  {lab}")
