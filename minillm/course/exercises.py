"""What an exercise asks, and how an answer is judged: the words in which every test_exercise.py is written.

Glossary
  task       one function (or one number) that the reader writes, checked on fresh random inputs
  oracle     what gives the right answer: nearly always the function of the package that the lesson is about
  mistake    a function that gives the answer of one misconception
  hint       what to say to someone who has that misconception: what it is, and how to see it oneself
  diagnosis  the mistake whose answers are the reader's own on every input, wherever they were wrong

A hint is thus never guessed from the shape of an error: it is given only to who computes exactly what the misconception
computes. Who makes two mistakes at once, or one that nobody foresaw, is shown the smallest input that fails.
"""

import copy
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from minillm.errors import UserError

STATUS = ("passed", "failed", "error", "todo", "waits", "timeout")
LONGEST = 400        # characters of a value that is shown


@dataclass(frozen=True)
class Hint:
    """`misconception`: one or two sentences, true of every exercise that has it. `see`: how to see it oneself."""

    misconception: str
    see: str


@dataclass(frozen=True)
class Raises:
    """As an oracle's or a mistake's answer: the call raises an exception of this name (or of a class below it)."""

    name: str


@dataclass(frozen=True)
class Task:
    """One thing to write.

    `inputs(rng)` yields tuples of arguments, small ones first; `oracle(*arguments)` is the right answer, and
    `mistakes[hint](*arguments)` what a misconception answers (a tuple of functions where it shows in several ways). `call(student, *arguments)` asks the reader's module; by
    default it calls the function of the task's name. A task that `needs` others waits until they pass. Floating-point
    numbers are compared to `tolerance`, relative to the largest right one; everything else must be equal.
    """

    name: str
    about: str
    oracle: Callable
    inputs: Callable[[np.random.Generator], Iterable[tuple]] = lambda rng: [()]
    mistakes: Mapping[str, Callable | tuple] = field(default_factory=dict)
    call: Callable | None = None
    needs: Sequence[str] = ()
    points: int = 1
    tolerance: float = 1e-9
    by_hand: bool = False        # a number worked out on paper: its input and the right one are never shown

    def ask(self, student, arguments):
        """The reader's answer, or Raises."""
        if self.call is not None:
            return self.call(student, *copy.deepcopy(arguments))
        return getattr(student, self.name)(*copy.deepcopy(arguments))


def number(name: str, about: str, right: float, mistakes: Mapping[str, float], tolerance: float = 1e-9, **more) -> Task:
    """A task whose answer is one number worked out by hand and written into the exercise as a constant."""
    def constant(value):
        return lambda: value

    return Task(name, about, constant(right), mistakes={hint: constant(value) for hint, value in mistakes.items()},
                call=lambda student: getattr(student, name), tolerance=tolerance, by_hand=True, **more)


def answer_of(function, arguments):
    """What a function answers; Raises where it raises."""
    try:
        return function(*copy.deepcopy(arguments))
    except Exception as error:
        return Raises(type(error).__name__)


def same(actual, expected, tolerance: float) -> bool:
    """Equal: numbers to `tolerance`, lists, tuples and arrays by what is in them, NaN to NaN. None is only None.

    Numbers of an array are compared relative to the largest finite one of the expected array.
    """
    if isinstance(expected, Raises) or isinstance(actual, Raises):
        return isinstance(expected, Raises) and isinstance(actual, Raises) and actual.name == expected.name
    if expected is None or isinstance(expected, (str, bytes, bool)):
        return type(actual) is type(expected) and actual == expected or (
            isinstance(expected, bool) and isinstance(actual, np.bool_) and bool(actual) == expected)
    if isinstance(expected, Mapping):
        return (isinstance(actual, Mapping) and actual.keys() == expected.keys()
                and all(same(actual[key], value, tolerance) for key, value in expected.items()))
    if isinstance(expected, (set, frozenset)):
        return isinstance(actual, (set, frozenset)) and actual == expected
    if isinstance(expected, (list, tuple)) and not _numeric(expected):
        return (isinstance(actual, (list, tuple, np.ndarray)) and len(actual) == len(expected)
                and all(same(a, b, tolerance) for a, b in zip(actual, expected)))
    if isinstance(actual, (str, bytes, Mapping)) or actual is None:
        return False
    try:
        actual, expected = np.asarray(actual), np.asarray(expected)
        if actual.shape != expected.shape:
            return False
        if expected.dtype.kind in "iub" and actual.dtype.kind in "iub":
            return bool(np.array_equal(actual, expected))
        actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    except (TypeError, ValueError):
        return False
    finite = np.isfinite(expected)
    if not np.array_equal(actual[~finite], expected[~finite], equal_nan=True):
        return False
    scale = np.max(np.abs(expected[finite]), initial=0.0)
    return bool(np.all(np.abs(actual[finite] - expected[finite]) <= tolerance * max(scale, 1e-12)))


def _numeric(values) -> bool:
    """Is this a (nested) list of plain numbers, all rows of one length?"""
    try:
        return len(values) > 0 and np.asarray(values).dtype.kind in "iuf"
    except ValueError:
        return False


def diagnose(task: Task, cases, answers) -> str | None:
    """The hint of the mistake that gives the reader's answer on every input, or None."""
    for hint, ways in task.mistakes.items():
        for mistake in ways if isinstance(ways, tuple) else (ways,):
            if all(same(answer, answer_of(mistake, case), task.tolerance) for case, answer in zip(cases, answers)):
                return hint
    return None


def judge(task: Task, hints: Mapping[str, Hint], student, rng) -> dict:
    """Check one task; returns plain data: name, status, points, earned, hint (a name or None), message, seconds."""
    began = time.perf_counter()
    result = {"name": task.name, "status": "passed", "points": task.points, "earned": 0, "hint": None, "message": ""}

    def done(status, message="", hint=None):
        earned = task.points if status == "passed" else 0
        return result | {"status": status, "earned": earned, "message": message, "hint": hint,
                         "seconds": round(time.perf_counter() - began, 3)}

    if not hasattr(student, task.name) and (task.call is None or task.by_hand):
        return done("todo", f"there is no {task.name} in the file: keep the names of the exercise")
    cases, answers, rights, trouble = [], [], [], None
    for case in task.inputs(rng):
        try:
            answer = task.ask(student, case)
        except NotImplementedError:
            return done("todo", "not written yet")
        except Exception as error:
            answer, trouble = Raises(type(error).__name__), trouble or (case, error)
        if task.by_hand and answer is None:
            return done("todo", "not filled in yet")
        cases.append(case)
        answers.append(answer)
        rights.append(answer_of(task.oracle, case))
    wrong = [i for i in range(len(cases)) if not same(answers[i], rights[i], task.tolerance)]
    if not wrong:
        return done("passed")
    hint = diagnose(task, cases, answers)
    smallest = min(wrong, key=lambda i: len(repr(cases[i])))
    if hint is not None:
        return done("failed", f"{hints[hint].misconception} {hints[hint].see}", hint)
    if task.by_hand:
        return done("failed", f"{show(answers[smallest])} is not it. Work it out again on paper, one step a line.")
    if isinstance(answers[smallest], Raises) and trouble is not None:
        case, error = trouble
        return done("error", f"{call(task, case)} raises {type(error).__name__}: {show(str(error))}{place(error)}")
    return done("failed", f"{call(task, cases[smallest])} gives {show(answers[smallest])}, right is {show(rights[smallest])}")


def run(tasks: Sequence[Task], hints: Mapping[str, Hint], student, seed: int, before: Mapping[str, str] = {},
        started: Callable = lambda name: None) -> Iterable[dict]:
    """Judge the tasks in their order, each on inputs of its own; yields what `judge` returns.

    `before` holds the status of tasks judged earlier, and those are left out; a task waits for those that it needs.
    """
    status = dict(before)
    for index, task in enumerate(tasks):
        if task.name in status:
            continue
        missing = [name for name in task.needs if status.get(name) != "passed"]
        if missing:
            result = {"name": task.name, "status": "waits", "points": task.points, "earned": 0, "hint": None,
                      "message": f"waits for {', '.join(missing)}", "seconds": 0.0}
        else:
            started(task.name)
            result = judge(task, hints, student, np.random.default_rng([seed, index]))
        status[task.name] = result["status"]
        yield result


def check_tasks(tasks: Sequence[Task], hints: Mapping[str, Hint]):
    """Refuse a test_exercise.py that breaks the contract of lessons/README.md. Raises UserError."""
    names = [task.name for task in tasks]
    if len(set(names)) != len(names) or not names:
        raise UserError(f"TASKS: names must be different and at least one: {names}")
    for i, task in enumerate(tasks):
        if not set(task.needs) <= set(names[:i]):
            raise UserError(f"task {task.name}: needs {list(task.needs)}, which must be tasks before it")
        if not task.mistakes.keys() <= hints.keys():
            raise UserError(f"task {task.name}: no hint for {sorted(task.mistakes.keys() - hints.keys())}")
    unused = hints.keys() - {name for task in tasks for name in task.mistakes}
    if unused:
        raise UserError(f"HINTS: no task has a mistake for {sorted(unused)}")


# ---- What a reader is shown -----------------------------------------------------------------------------

def show(value) -> str:
    """A value on one line of at most LONGEST characters."""
    if isinstance(value, Raises):
        return f"an exception ({value.name})"
    if isinstance(value, str) and "\n" not in value and len(value) <= LONGEST:
        return repr(value)
    if isinstance(value, (np.ndarray, np.generic)):
        text = np.array2string(np.asarray(value), precision=6, separator=", ", threshold=40)
    elif isinstance(value, float):
        text = f"{value:.10g}"
    else:
        text = repr(value)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def call(task: Task, case) -> str:
    return f"{task.name}({', '.join(map(show, case))})"


def place(error: BaseException) -> str:
    """Where in the reader's file it was raised: " (line 12)", or nothing."""
    lines, at = [], error.__traceback__
    while at is not None:
        if at.tb_frame.f_globals.get("__name__") == STUDENT:
            lines.append(at.tb_lineno)
        at = at.tb_next
    return f" (line {lines[-1]} of your file)" if lines else ""


STUDENT = "the_exercise"     # the module name under which the reader's file is run
