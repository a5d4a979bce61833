"""`minillm assignment new`: a handout for students and, apart from it, the teacher's key; proved before anything is written."""

import re
import secrets
import shutil
import tempfile
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

from minillm import __version__
from minillm.assignments import sandbox
from minillm.assignments.assignment import Assignment, Part, moment, rounded
from minillm.assignments.grading import grade_lesson, read_lesson_key, seed_of
from minillm.assignments.reference import libraries
from minillm.assignments.wheel import NAME, pip_install, wheel
from minillm.course import exercises
from minillm.course.checking import check as check_together
from minillm.course.lessons import Lesson, find, load_module
from minillm.errors import UserError, require
from minillm.files import make_folder, write_json

LEFT_OUT = {"lesson.md", "demo.py", "solution.py", "exercise.py"}
LARGEST = 2**20
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()                       # not strftime's, which are in the machine's language
MONTHS = "January February March April May June July August September October November December".split()


def make(lessons: str, out, points: str | None = None, per_student: bool = False, due: str | None = None, late: float = 0.0, title: str | None = None,
         seconds: float = sandbox.Limits.seconds, memory: int = sandbox.Limits.memory, way: str = "auto", seed: str | None = None, install: str | None = None, say=print) -> Assignment:
    """Write handout and key into the new folder `out`. Raises UserError; nothing is written then.

    install: what pip installs for the students; without it the handout holds a wheel of this minillm.
    """
    out = Path(out)
    require(not out.exists() or out.is_dir() and not any(out.iterdir()), "--out", str(out), "a new or an empty folder")
    require(0 <= late <= 100, "--late", late, "a percentage, 0 to 100")
    require(0.1 <= seconds <= 600, "--seconds", seconds, "0.1 to 600")
    require(128 <= memory <= 65536, "--memory", memory, "128 to 65536 (MB)")
    install = install or f"./{NAME}"
    pip_install(install)
    chosen = [find(which.strip()) for which in lessons.split(",") if which.strip()]
    require(len({lesson.name for lesson in chosen}) == len(chosen) > 0, "--lessons", lessons, "one or more different lessons, such as 03,05")
    parts = with_points([part_of(lesson) for lesson in chosen], points)             # refuses wrong wishes before long work
    assignment = Assignment(title or "Lessons " + ", ".join(lesson.number for lesson in chosen), parts,
                            moment(due, "--due").isoformat(timespec="minutes") if due else None, late, limits=sandbox.Limits(seconds=seconds, memory=memory), install=install)
    secret = {"seed": seed or secrets.token_hex(16), "per_student": per_student}
    way = for_own_code(way)
    with tempfile.TemporaryDirectory(prefix="minillm-") as place:
        key, handout = make_folder(Path(place) / "key"), make_folder(Path(place) / "handout")
        for lesson in chosen:
            copy_lesson(lesson, key / "lessons" / lesson.name, with_solution=True)
            copy_lesson(lesson, handout / "checks" / lesson.name, with_solution=False)
            stub = (lesson.folder / "exercise.py").read_text(encoding="utf-8")
            stub = re.sub(r"minillm lesson check \d+", "minillm assignment check", stub)
            (handout / f"{lesson.name}.py").write_text(stub, encoding="utf-8")
        practice = {part.name: prove(part, key, secret, assignment, way, say) for part in parts}
        assignment = replace(assignment, parts=with_points([replace(part, practice=practice[part.name], points=part_of(lesson).points)
                                                            for part, lesson in zip(parts, chosen)], points))
        proof = {"made": date.today().isoformat(), "minillm": __version__, "sandbox": way,
                 "lessons": {part.name: {"reference": part.of, "stub": 0, "of": part.of, "practice": part.practice} for part in assignment.parts}}
        for folder in (key, handout):
            write_json(folder / "assignment.json", assignment.as_json())
        write_json(key / "secret.json", secret)
        (key / "secret.json").chmod(0o600)
        write_json(key / "proof.json", proof)
        (handout / "README.md").write_text(instructions(assignment), encoding="utf-8")
        if install == f"./{NAME}":
            (handout / NAME).write_bytes(wheel())
        make_folder(out)
        shutil.copytree(handout, out / "handout")
        shutil.copytree(key, out / "key")
        (out / "key").chmod(0o700)
    if assignment.due:
        say(f"due {due_words(assignment)}" + ("; without an offset --due is UTC" if not datetime.fromisoformat(due.strip()).tzinfo else ""))
    elif late:
        say("WARNING: --late without --due: only Gradescope, which knows its own due time, can take points off")
    say(f"{out / 'handout'}: for the students\n{out / 'key'}: keep it to yourself\nnext: minillm assignment grade SUBMISSIONS --key {out / 'key'} --out grades")
    return assignment


def for_own_code(way: str) -> str:
    """Where the reference and the stub run: as submissions will where a sandbox works here, but they need none.

    Raises UserError for a way that was asked for by name and does not work.
    """
    if way != "auto":
        return sandbox.choose(way)
    return next((name for name in ("bubblewrap", "user") if not sandbox.works(name)), "none")


def part_of(lesson: Lesson) -> Part:
    if not (lesson.folder / "solution.py").is_file():
        raise UserError(f"{lesson.folder}: this minillm came from a handout, without solutions: make assignments from a clone")
    tests = load_module(lesson.folder / "test_exercise.py", "test_exercise")
    exercises.check_tasks(tests.TASKS, tests.HINTS)
    imported = libraries(*((lesson.folder / name).read_bytes() for name in ("solution.py", "exercise.py")))
    return Part(lesson.name, lesson.title, {task.name: task.points for task in tests.TASKS}, {task.name: task.about for task in tests.TASKS},
                libraries=sorted({"numpy"} | imported & {*sandbox.NUMPY, *sandbox.JAX}))


def with_points(parts: list[Part], points: str | None) -> list[Part]:
    """`points`: LESSON=N shares N points among a lesson's tasks as the lesson does, LESSON.TASK=N gives a task N. Raises UserError."""
    made = {part.name: {task: 0 if task in part.practice else n for task, n in part.points.items()} for part in parts}
    for item in filter(None, (item.strip() for item in (points or "").split(","))):
        where, _, amount = item.partition("=")
        which, _, task = where.partition(".")
        try:
            amount = float(amount)
        except ValueError:
            raise UserError(f"--points {item}: {amount.strip() or 'nothing'} is no number: write LESSON=N or LESSON.TASK=N, such as 03=20") from None
        try:
            name = find(which.strip()).name
            if name not in made or task and not made[name].get(task) or not 0 <= amount <= 1000:
                raise ValueError
        except ValueError as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"--points {item}: must be LESSON=N or LESSON.TASK=N, N from 0 to 1000, with lessons of --lessons and their tasks: "
                            + ", ".join(f"{n}.{t}" for n, tasks in made.items() for t in tasks)) from None
        if task:
            made[name][task] = rounded(amount)
        else:
            total = sum(made[name].values())
            shares = {t: rounded(amount * p / total) for t, p in made[name].items()}
            last = [t for t in shares if made[name][t]][-1]
            made[name] = shares | {last: rounded(shares[last] + amount - sum(shares.values()))}       # rounding adds up
    if not sum(sum(tasks.values()) for tasks in made.values()) > 0:
        raise UserError("--points: an assignment needs at least some points")
    return [replace(part, points=made[part.name]) for part in parts]


def copy_lesson(lesson: Lesson, to: Path, with_solution: bool):
    """What a check needs of a lesson: its tests and the files that they name; for the key, the reference and the stub."""
    make_folder(to)
    tests = (lesson.folder / "test_exercise.py").read_text(encoding="utf-8")
    for path in sorted(lesson.folder.iterdir()):
        named = path.name in tests or re.search(rf"(import|from) {re.escape(path.stem)}\b", tests)
        wanted = path.is_file() and path.name not in LEFT_OUT and path.stat().st_size <= LARGEST and named
        if wanted or path.name == "test_exercise.py" or with_solution and path.name in ("exercise.py", "solution.py"):
            shutil.copyfile(path, to / path.name)


def prove(part: Part, key: Path, secret: dict, assignment: Assignment, way: str, say) -> list[str]:
    """The reference passes every task and the stub none, in the sandbox, by the very checks that will grade. Raises UserError.

    Returns the tasks that are for practice: those that the reference passes where check and function are in one process, and cannot
    pass where they are not (what `jax.jit` makes of a function, say). To grade them one would have to believe the student's process.
    """
    folder = key / "lessons" / part.name
    lesson = read_lesson_key(folder, part.points)

    def failing(file, student, practice=()):
        seed = seed_of(secret["seed"], student if secret["per_student"] else None)
        tasks = grade_lesson(replace(lesson, practice=tuple(practice)), (folder / file).read_bytes(), seed, way, assignment.limits)
        return [task for task in tasks if task["name"] not in practice and (task["status"] == "passed") != (file == "solution.py")]

    practice = [task["name"] for task in failing("solution.py", "a student")]
    if practice:
        together = {task["name"]: task["status"] for task in check_together(folder, folder / "solution.py")["tasks"]}
        practice = [name for name in practice if together[name] == "passed"]
        if len(practice) == len(lesson.tasks):
            raise UserError(f"lesson {part.name}: none of its tasks can be asked from outside the student's process: leave it out; nothing was written")
    for student in ("a student", "another") if secret["per_student"] or practice else ("a student",):
        for file in ("solution.py", "exercise.py"):
            bad = failing(file, student, practice)
            if bad:
                what = "the reference does not pass" if file == "solution.py" else "the stub passes"
                raise UserError(f"lesson {part.name}: {what} {', '.join(task['name'] for task in bad)} in the sandbox ({bad[0]['message']} {bad[0]['detail']}): "
                                "nothing was written; leave this lesson out and report it")
    say(f"{part.name}: the reference passes all {len(lesson.tasks) - len(practice)} tasks, the stub none"
        + (f"; for practice, without points: {', '.join(practice)} (only the student's own process could show them)" if practice else ""))
    return practice


def due_words(assignment: Assignment) -> str:
    """The due time as people say it."""
    time = moment(assignment.due, "due")
    return f"{DAYS[time.weekday()]}, {time.day} {MONTHS[time.month - 1]} {time.year}, {time:%H:%M} ({time.tzname()})"


def instructions(assignment: Assignment) -> str:
    """README.md of the handout."""
    due = f"Due: **{due_words(assignment)}**." + (f" Each day begun after that costs {assignment.late:g}% of the points." if assignment.late else "") if assignment.due else ""
    tables = [f"## {part.file}: {part.title} ({part.of:g} points)\n\n| task | what | points |\n|---|---|---|\n"
              + "\n".join(f"| `{task}` | {part.about[task]} | {'practice' if task in part.practice else f'{points:g}'} |" for task, points in part.points.items()) for part in assignment.parts]
    return f"""# {assignment.title}

{assignment.of:g} points. {due}

1. Install minillm in this folder; it needs Python 3.11 or later:

        python3 -m venv .venv
        . .venv/bin/activate
        {pip_install(assignment.install)}

   On Windows the first two are `py -m venv .venv` and `.venv\\Scripts\\activate`. In a new terminal, activate it again.
   The lesson of a file: `minillm lesson open {assignment.parts[0].name[:2]}`.
2. Write in the files below, in place of `raise NotImplementedError` and `None`. Keep the names of the files and of the functions.
3. Check yourself, as often as you like, in this folder:

        minillm assignment check

   It shows an input on which a task fails, or says which misconception it sees. Other inputs, which only your teacher has, decide the grade: a function that
   is right passes both.
4. Hand in the archive that this makes:

        minillm assignment submit --name YOUR_NAME

Only the files below are read from it. They are run without a network, with NumPy and Python's own library and what the stubs import, {assignment.limits.seconds:g} seconds for a
task, and may not write files. Where a task builds on one that you could not solve, the reference stands in for that one, so go on with the rest. A file that is not
Python (run it once!) earns nothing.

""" + "\n\n".join(tables) + "\n"
