"""`minillm assignment new`: a handout for students and, apart from it, the teacher's key; proved
before anything is written. The handout's texts are templates/README.md, AGENTS.md and lesson.html.
"""

import base64
import hashlib
import re
import secrets
import shutil
import tempfile
from dataclasses import asdict, replace
from datetime import date, datetime
from pathlib import Path

import markdown
import numpy as np

import minillm
from minillm.assignments import sandbox
from minillm.assignments.assignment import Assignment, Part, moment, rounded
from minillm.assignments.grading import judge, read_lesson, seed_of, stub_of
from minillm.assignments.reports import TEMPLATES, template
from minillm.assignments.wheel import NAME, pip_install, wheel
from minillm.course import exercises
from minillm.course.checking import imports, key_of, read_checks
from minillm.course.lessons import PACKAGE, Lesson, find
from minillm.course.notebooks import pieces
from minillm.course.opened import EXTENSIONS
from minillm.course.pages import ELSEWHERE, LINK, lesson_page
from minillm.course.process import JAX, NUMPY, Limits
from minillm.course.published import publish
from minillm.errors import UserError, require
from minillm.files import make_folder, write_json

KEPT = ("test_exercise.py", "asking.py", "exercise.py", "solution.py")  # what a key needs
LARGEST = 2**20
PUBLIC_SETS = 2  # sets of inputs in a handout
FENCE = re.compile(r"^([ >]*)```python[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
WIDGET = re.compile(r'^<div class="in-page"[^\n]*\n<script[^\n]*</script>$', re.MULTILINE)
NOT_SHOWN = "*(Here stands the function of the package. Read it when you have handed in your own.)*"
SAID = """# {title}

Write in these cells, save, and check yourself with the last one. Hand in this notebook, or what
`minillm assignment submit` makes of it. Only functions, imports and constants in capitals are
taken from a notebook."""
# not strftime's, which are in the machine's language
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = ("January February March April May June July August September October November "
          "December").split()


def make(lessons: str, out, points: str | None = None, per_student: bool = False,
         due: str | None = None, late: float = 0.0, title: str | None = None,
         seconds: float = Limits.seconds, memory: int = Limits.memory, way: str = "auto",
         seed: str | None = None, install: str | None = None, say=print) -> Assignment:
    """Write handout and key into the new folder `out`. Raises UserError; nothing is written then.

    install: what pip installs for the students; without it the handout holds a wheel of this
    minillm.
    """
    out = Path(out)
    require(not out.exists() or out.is_dir() and not any(out.iterdir()), "--out", str(out),
            "a new or an empty folder")
    require(0 <= late <= 100, "--late", late, "a percentage, 0 to 100")
    require(0.1 <= seconds <= 600, "--seconds", seconds, "0.1 to 600")
    require(128 <= memory <= 65536, "--memory", memory, "128 to 65536 (MB)")
    pip_install(install or "x")
    chosen = [find(which.strip()) for which in lessons.split(",") if which.strip()]
    require(len({lesson.name for lesson in chosen}) == len(chosen) > 0, "--lessons", lessons,
            "one or more different lessons, such as 03,05")
    parts = [part_of(lesson) for lesson in chosen]
    assignment = Assignment(
        title or f"Lesson{'s' * (len(chosen) > 1)} {', '.join(les.number for les in chosen)}",
        with_points(parts, points),  # refuses wrong wishes before long work
        moment(due, "--due").isoformat(timespec="minutes") if due else None, late,
        limits=Limits(seconds=seconds, total=6 * seconds, memory=memory),
        install=install or f"./{NAME}")
    secret = {"seed": seed or secrets.token_hex(16), "per_student": per_student}
    way = for_own_code(way)
    with tempfile.TemporaryDirectory(prefix="minillm-") as place:
        key, handout = make_folder(Path(place) / "key"), make_folder(Path(place) / "handout")
        for lesson in chosen:
            copy_lesson(lesson, key / "lessons" / lesson.name)
        parts = [replace(part, practice=prove(part, key, secret, assignment, way, say))
                 for part in parts]
        assignment = replace(assignment, parts=with_points(parts, points))
        for lesson in chosen:
            hand_out(lesson, handout, secret["seed"])
        for folder in (key, handout):
            write_json(folder / "assignment.json", asdict(assignment))
        write_json(key / "secret.json", secret)
        (key / "secret.json").chmod(0o600)
        write_json(key / "proof.json", {
            "made": date.today().isoformat(), "minillm": minillm.__version__, "sandbox": way,
            "lessons": {part.name: {"reference": part.of, "stub": 0, "of": part.of,
                                    "practice": part.practice} for part in assignment.parts}})
        due_said = f"Due: **{due_words(assignment)}**." if due else ""
        readme = template("README.md").render(assignment=assignment, due=due_said,
                                              install=pip_install(assignment.install))
        (handout / "README.md").write_text(readme, encoding="utf-8")
        (handout / "AGENTS.md").write_text(template("AGENTS.md").render(), encoding="utf-8")
        if not install:
            (handout / NAME).write_bytes(wheel([lesson.name for lesson in chosen]))
            shutil.copyfile(TEMPLATES / "Containerfile", Path(place) / "Containerfile")
        shutil.copytree(place, out, dirs_exist_ok=True)
        out.chmod(0o755)  # a temporary folder is closed to others
        (out / "key").chmod(0o700)
    if assignment.due:
        utc = "; without an offset --due is UTC" * (not datetime.fromisoformat(due.strip()).tzinfo)
        say(f"due {due_words(assignment)}{utc}")
    elif late:
        say("WARNING: --late without --due: only Gradescope, which knows its own due time, can "
            "take points off")
    say(f"{out / 'handout'}: for the students\n{out / 'key'}: keep it to yourself\nnext: minillm "
        f"assignment grade SUBMISSIONS --key {out / 'key'} --out grades")
    return assignment


def for_own_code(way: str) -> str:
    """Where the reference and the stub run: as submissions will where a sandbox works here, but
    they need none.

    Raises UserError for a way that was asked for by name and does not work.
    """
    if way != "auto":
        return sandbox.choose(way)
    return "none" if sandbox.works("bubblewrap") else "bubblewrap"


def part_of(lesson: Lesson) -> Part:
    if not (lesson.folder / "solution.py").is_file():
        raise UserError(f"{lesson.folder}: this minillm came from a handout, without solutions: "
                        "make assignments from a clone")
    tasks = read_checks(lesson.folder).tasks
    imported = imports(*((lesson.folder / name).read_bytes()
                         for name in ("solution.py", "exercise.py")))
    return Part(lesson.name, lesson.title, {task.name: task.points for task in tasks},
                {task.name: task.about for task in tasks},
                libraries=sorted({"numpy"} | imported & {*NUMPY, *JAX}))


def with_points(parts: list[Part], points: str | None) -> list[Part]:
    """`points`: LESSON=N shares N points among a lesson's tasks as the lesson does, LESSON.TASK=N
    gives a task N. Raises UserError.
    """
    made = {part.name: {task: 0 if task in part.practice else n for task, n in part.points.items()}
            for part in parts}
    for item in filter(None, map(str.strip, (points or "").split(","))):
        where, _, amount = item.partition("=")
        which, _, task = where.partition(".")
        try:
            amount = float(amount)
        except ValueError:
            raise UserError(f"--points {item}: {amount.strip() or 'nothing'} is no number: write "
                            "LESSON=N or LESSON.TASK=N, such as 03=20") from None
        tasks = made.get(find(which.strip()).name, {})
        if not tasks or task and not tasks.get(task) or not 0 <= amount <= 1000:
            known = ", ".join(f"{name}.{task}" for name, tasks in made.items() for task in tasks)
            raise UserError(f"--points {item}: must be LESSON=N or LESSON.TASK=N, N from 0 to "
                            f"1000, with lessons of --lessons and their tasks: {known}")
        total = sum(tasks.values())
        shares = {name: round(amount * n / total, 6) for name, n in tasks.items()}
        tasks |= {task: rounded(amount)} if task else shares  # equal weights, equal points
    if not sum(sum(tasks.values()) for tasks in made.values()) > 0:
        raise UserError("--points: an assignment needs at least some points")
    return [replace(part, points={task: int(n) if n == int(n) else n
                                  for task, n in made[part.name].items()}) for part in parts]


def copy_lesson(lesson: Lesson, to: Path):
    """What the key needs of a lesson: its checks and the files that they name, the reference and
    the stub.
    """
    make_folder(to)
    tests = (lesson.folder / "test_exercise.py").read_text(encoding="utf-8")
    for path in sorted(lesson.folder.iterdir()):
        named = path.suffix == ".json" and path.name in tests and path.stat().st_size <= LARGEST
        if path.name in KEPT or named:
            shutil.copyfile(path, to / path.name)


def hand_out(lesson: Lesson, handout: Path, secret: str):
    """A lesson's part of the handout: stub, notebook, page, and its checks as data."""
    stub = stub_of(lesson.folder)
    (handout / f"{lesson.name}.py").write_text(stub, encoding="utf-8")
    write_json(handout / f"{lesson.name}.ipynb", notebook(lesson))
    (handout / f"{lesson.name}.html").write_text(page_of(lesson), encoding="utf-8")
    public = hashlib.sha256(f"public {secret}".encode()).digest()
    seeds = [[int.from_bytes(public[:8], "little"), int(lesson.number), n]
             for n in range(PUBLIC_SETS)]
    checks = publish(read_checks(lesson.folder), seeds)
    (make_folder(handout / "checks") / lesson.name).write_bytes(checks)


def page_of(lesson: Lesson) -> str:
    """The lesson as one file of HTML, without the functions of the package, which are what
    students are to write.
    """
    def hidden(block):
        functions = re.search(r"^\s*(def|class) ", block[2], re.MULTILINE)
        return f"{block[1]}{NOT_SHOWN}" if functions else block[0]

    text, figures = lesson_page(lesson, "html", lambda kind, target: "")
    text = LINK.sub(r"\1", FENCE.sub(hidden, text))
    text = WIDGET.sub(ELSEWHERE.format(int(lesson.number)), text)
    body = markdown.markdown(text, extensions=list(EXTENSIONS), extension_configs=EXTENSIONS)
    for name, content in figures.items():
        if name.endswith(".js"):                         # of a widget: it holds attention, too
            continue
        kind = "svg+xml" if name.endswith(".svg") else "png"
        data = base64.b64encode(content.encode() if isinstance(content, str) else content).decode()
        body = body.replace(f'src="{name}"', f'src="data:image/{kind};base64,{data}"')
    styles = [(PACKAGE / "course" / "assets" / name).read_text(encoding="utf-8")
              for name in ("content.css", "page.css")]
    title = f"{lesson.number} {lesson.title}"
    return template("lesson.html").render(title=title, style="".join(styles), body=body)


def notebook(lesson: Lesson) -> dict:
    """The stub as a Jupyter notebook, nbformat 4: a cell for each task."""
    cells = [{"cell_type": "markdown", "source": SAID.format(title=lesson.title)}]
    codes = [re.sub(r"minillm lesson check \d+", "minillm assignment check", source)
             for _, source in pieces(lesson)]
    for code in [*codes, f"!minillm assignment check --only {lesson.name}"]:
        cells.append({"cell_type": "code", "source": code, "outputs": [], "execution_count": None})
    for i, cell in enumerate(cells):
        cell |= {"id": f"{lesson.name}-{i}", "metadata": {},
                 "source": cell["source"].splitlines(keepends=True)}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}


def prove(part: Part, key: Path, secret: dict, assignment: Assignment, way: str, say) -> list[str]:
    """The reference passes every task and the stub none, asked as submissions are. Raises
    UserError. Returns the tasks that always have the same right answer: they are for practice.
    """
    checks, rng = read_lesson(key, part), np.random.default_rng(0)
    practice = []
    for task in checks.tasks:
        cases = [case for _ in range(2) for case in exercises.cases_of(task, rng)]
        answers = {key_of((exercises.answer_of(task.oracle, case),)) for case in cases}
        if len(answers) == 1 and not task.by_hand:
            practice.append(task.name)
    for student in ("a student", "another")[:1 + secret["per_student"]]:
        for file, should, what in (("solution.py", True, "the reference does not pass"),
                                   ("exercise.py", False, "the stub passes")):
            source = (key / "lessons" / part.name / file).read_bytes()
            tasks, _ = judge(checks, part, source, seed_of(secret, student), assignment.limits, way)
            if bad := [task for task in tasks if (task["status"] == "passed") != should]:
                names = ", ".join(task["name"] for task in bad)
                raise UserError(f"lesson {part.name}: {what} {names} ({bad[0]['message']} "
                                f"{bad[0]['example']}): nothing was written; leave this lesson "
                                "out and report it")
    same = f"; for practice, without points: {', '.join(practice)} (always the same answer)"
    say(f"{part.name}: the reference passes all {len(checks.tasks)} tasks, the stub "
        f"none{same * bool(practice)}")
    return practice


def due_words(assignment: Assignment) -> str:
    """The due time as people say it."""
    time = moment(assignment.due, "due")
    day = f"{DAYS[time.weekday()]}, {time.day} {MONTHS[time.month - 1]} {time.year}"
    return f"{day}, {time:%H:%M} ({time.tzname()})"
