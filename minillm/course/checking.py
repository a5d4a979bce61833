"""Checks an exercise: cases in, answers out, a verdict on the answers. For `minillm lesson
check`, `minillm assignment check` and `minillm assignment grade`, which thus agree; they differ
in the inputs and in where the exercise runs.

    check(folder, file) -> {"lesson", "file", "seed", "tasks": [result], "points", "of", "printed"}
    result: what exercises.verdict gives, and "helped": prerequisites that the reference stood in for
"""

import ast
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from minillm.course import exercises, plain
from minillm.course.lessons import load_module
from minillm.course.process import Job, Limits, Spent, Stopped, Without, ask_all
from minillm.course.source import reached
from minillm.errors import UserError

PRINTED = 2000  # characters of what the exercise prints that are kept
LIMITS = Limits(seconds=20, total=200, memory=4096, threads=4096)
WHOLE_FILE = ("file", "syntax", "import")  # kinds that say nothing of a single task
STOPPED = {
    "time": "It took longer than the {seconds:g} seconds that a task has. Look for a loop that never "
    "ends, on the smallest input that you can think of, then for loops over numbers that NumPy could do at "
    "once.",
    "total": "The tasks of this file together took longer than {total:g} seconds. Look for loops "
    "over numbers that NumPy could do at once.",
    "memory": "It needed more memory than there is ({memory} MB). Look for an array that is much "
    "larger than its inputs, or a list that never stops growing.",
    "output": "It printed without end (more than {output} MB). Take the print out of the loop.",
    "exit": "It ended the whole program: a function returns its answer and ends nothing. Look for "
    "exit(), quit() or sys.exit().",
    "answers": "Its answers could not be read. Return plain values: numbers, arrays, text, lists, "
    "dicts.",
}


@dataclass(frozen=True)
class Checks:
    """What a lesson asks. asking: the source of its asking.py, or "". reference: the source of
    its solution, from which prerequisites are lent, or None. not_lent: tasks whose reference is
    never lent."""

    name: str
    tasks: list
    hints: Mapping
    asking: str = ""
    reference: str | None = None
    not_lent: frozenset = frozenset()
    jax: bool = False
    cases: Callable = field(default=lambda task, rng: exercises.cases_of(task, rng))


class Known:
    """A function that answers each case once and then remembers; with function None it knows
    `answers` alone.
    """

    def __init__(self, function, answers=None):
        self.function, self.answers = function, {} if answers is None else answers

    def __call__(self, *case):
        key = key_of(case)
        if key not in self.answers:
            self.answers[key] = exercises.answer_of(self.function, case)
        return self.answers[key]


def key_of(case) -> bytes:
    """Equal for equal cases."""
    return plain.record(list(case), inwards=True)


def remembering(checks: Checks) -> Checks:
    """The same checks, for many files on one set of inputs: cases and right answers are made
    once.
    """

    def known(ways):
        return {hint: tuple(map(Known, exercises.each(each))) for hint, each in ways.items()}

    def cases(task, rng):
        if task.name not in drawn:
            drawn[task.name] = checks.cases(task, rng)
        return drawn[task.name]

    drawn = {}
    tasks = [replace(task, oracle=Known(task.oracle), mistakes=known(task.mistakes),
                     accepted=known(task.accepted)) for task in checks.tasks]
    return replace(checks, tasks=tasks, cases=cases)


def read_checks(folder: Path, reference: Path | None = None) -> Checks:
    """The checks of the lesson in `folder`. Raises UserError."""
    folder = Path(folder)
    try:
        tests = load_module(folder / "test_exercise.py", "test_exercise")
    except Exception as error:
        raise UserError(
            f"{folder}: its test_exercise.py cannot be used ({type(error).__name__}: {error})"
        ) from None
    exercises.check_tasks(tests.TASKS, tests.HINTS)
    asking = folder / "asking.py"
    source = reference.read_text(encoding="utf-8") if reference else None
    files = [path for path in (folder / "exercise.py", reference) if path and path.is_file()]
    return Checks(folder.name, tests.TASKS, tests.HINTS, asking.read_text(encoding="utf-8")
                  if asking.is_file() else "", source, frozenset(getattr(tests, "NOT_LENT", ())),
                  any("jax" in imports(f.read_bytes()) for f in files))


def check(folder: Path, file: Path, seed: int | None = None,
          seconds: float = LIMITS.seconds) -> dict:
    """Judge every task of `file` by the lesson in `folder`; a task waits until those that it
    needs pass.

    Raises UserError for a file that is not there or cannot be read as Python.
    """
    file = Path(file).resolve()
    if not file.is_file():
        raise UserError(f"{file}: there is no such file")
    seed = secrets.randbelow(2**31) if seed is None else seed
    checks = read_checks(folder)
    tasks, printed = judge_file(checks, file.read_bytes(), [seed], replace(LIMITS, seconds=seconds))
    if tasks[0]["kind"] in WHOLE_FILE:
        raise UserError(f"{file}: {tasks[0]['message']}")
    return {
        "lesson": Path(folder).name,
        "file": str(file),
        "seed": seed,
        "tasks": tasks,
        "points": sum(task["earned"] for task in tasks),
        "of": sum(task["points"] for task in tasks),
        "printed": printed[:PRINTED],
    }


def judge_file(checks: Checks, file: bytes, seed: list[int], limits: Limits,
               sandbox_of=Without) -> tuple[list, str]:
    """(a result for each task, what was printed). Task i is asked on inputs from the generator
    [*seed, i].

    With a reference, a task whose prerequisites are wrong is asked again with those of the
    reference lent; without one it waits.
    """
    limits = limits.with_jax() if checks.jax else limits
    cases = {task.name: checks.cases(task, np.random.default_rng([*seed, i]))
             for i, task in enumerate(checks.tasks)}
    asked = {task.name: (task.name, task.by_hand, cases[task.name]) for task in checks.tasks}

    spent = Spent()

    def answers(names, lent=()):
        source = lend(checks.reference, lent) if lent else ""
        job = Job(file, [asked[name] for name in names], checks.asking, source, list(lent),
                  checks.jax)
        return ask_all(job, limits, sandbox_of, spent)

    first = answers(asked)
    if first.file or first.reason:
        return [_of_file(task, first, limits) for task in checks.tasks], first.printed
    needs, results = all_needs(checks.tasks), {}
    for task in checks.tasks:
        missing = [name for name in needs[task.name] if results[name]["status"] != "passed"]
        result = _result(task, checks, cases[task.name], first.of[task.name], limits)
        if missing and result["status"] != "passed" and result["kind"] != "missing":
            lent = [name for name in missing if name not in checks.not_lent]
            if checks.reference is None:
                result = _waits(task, missing)
            elif lent:
                helped = answers([task.name], lent)
                result = _result(task, checks, cases[task.name],
                                 helped.of.get(task.name, Stopped(helped.reason)), limits)
                result["helped"] = lent
        results[task.name] = result
    return list(results.values()), first.printed


def _result(task, checks, cases, answers, limits) -> dict:
    if isinstance(answers, Stopped):
        return _failed(task, "timeout" if answers.reason in ("time", "total") else "error",
                       answers.reason,
                       STOPPED.get(answers.reason, STOPPED["exit"]).format(**vars(limits)))
    task = task.against(answers) if hasattr(task, "against") else task
    return exercises.verdict(task, checks.hints, cases, answers) | {"helped": []}


def _failed(task, status, kind, message) -> dict:
    return exercises.result_of(task, status, message, kind) | {"helped": []}


def _waits(task, missing) -> dict:
    return _failed(task, "waits", "waits", f"waits for {', '.join(missing)}")


def _of_file(task, answers, limits) -> dict:
    """The result of every task when the file itself cannot be read."""
    if answers.file is None:
        reason = answers.reason.partition(":")[0]
        kind, where = ("answers", "") if reason == "answers" else ("import", "Reading the file: ")
        return _failed(task, "error", kind,
                       where + STOPPED.get(reason, STOPPED["exit"]).format(**vars(limits)))
    line = f"line {answers.file.line}: " if answers.file.line else ""
    if answers.file.name in ("SyntaxError", "IndentationError", "TabError"):
        message = answers.file.message
        if "null bytes" in message:
            message = "it holds null bytes, as a file saved as UTF-16 does: save it as UTF-8"
        return _failed(task, "error", "syntax", f"{line}not Python yet ({message})")
    return _failed(
        task, "error", "import",
        f"Reading the file stops with an exception. {exercises.explain_exception(answers.file)}")


# ---- What lessons say about themselves ---------------------------------------------------------


def all_needs(tasks) -> dict[str, list[str]]:
    """For each task, all that it needs, directly or by way of others, in the order of the tasks."""
    needs = {}
    for task in tasks:
        direct = set(task.needs)
        needs[task.name] = [other.name for other in tasks if other.name in direct
                            or any(other.name in needs[name] for name in direct)]
    return needs


def imports(*sources: str | bytes) -> set[str]:
    """The libraries that files import."""
    libraries = set()
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                libraries |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                libraries.add(node.module.partition(".")[0])
    return libraries


def lend(source: str, names) -> str:
    """The part of a solution that makes these functions: they themselves, what they use, and
    imports.
    """
    body = ast.parse(source).body
    needed = set(reached(body, names)) | {part for part in body
                                          if isinstance(part, (ast.Import, ast.ImportFrom))}
    return "\n\n".join(ast.unparse(part) for part in body if part in needed)
