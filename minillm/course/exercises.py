"""What an exercise asks and how an answer is judged: the vocabulary of every test_exercise.py.

Glossary
  task       one function (or one number) that the reader writes, checked on fresh random inputs
  case       the arguments of one call
  oracle     gives the right answer: nearly always the package's function
  mistake    a function that gives the answer of one misconception
  hint       explains that misconception, and how to see it for oneself
  diagnosis  the mistake whose answers are the reader's own on every case

A hint is never guessed from the look of an error: it is given only for computing exactly what the
misconception computes. If you make two mistakes at once, or an unforeseen one, you are shown the
smallest failing input.

Judging takes three steps, and only plain data goes from one to the next:

    cases   = cases_of(task, rng)                     # argument tuples
    answers = ...                                     # values, Raises, NotWritten: child.answers_to
    result  = verdict(task, hints, cases, answers)    # a dict

Only `answers_to` runs the reader's code: process.py gives it a process, and a sandbox, of its own.
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np

from minillm.course.plain import NotWritten, Raises, Unlike
from minillm.errors import UserError

LONGEST = 400  # characters of a value that is shown
MOST = 24  # numbers of an array, or of a dict of arrays, that are shown
MANY = 12  # of two arrays with more numbers than this, only the largest difference is shown
SMALLEST = 1e-3  # arrays of smaller numbers are compared as if this were their largest
NEARLY = 1e-5  # relative difference up to which the first digits count as right
NEARLY_SMALLEST = 1e-2  # where the right answer is 0, differences still leave some digits


@dataclass(frozen=True)
class Hint:
    """`misconception`: one or two sentences, true wherever it is given. `see`: how to see it
    oneself."""

    misconception: str
    see: str

    def __str__(self):
        return f"{self.misconception} {self.see}"


@dataclass(frozen=True)
class Task:
    """One thing to write.

    `inputs(rng)` yields argument tuples, small ones first; `oracle(*arguments)` is the right
    answer. `mistakes[hint](*arguments)` is what a misconception answers (a tuple of functions
    where it shows in several ways); `accepted` likewise holds answers that pass, with the hint as
    a remark. `call(student, *arguments)` asks the reader's module; by default it calls the
    function of the task's name. A task that `needs` others waits until they pass. Floating-point
    numbers are compared to `tolerance`, relative to the largest right one; everything else must be
    equal. `nearly` maps a hint to a wider tolerance: the hint for answers whose first digits alone
    are right. `returns` names the entries of an answer that is a tuple.
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
    by_hand: bool = False  # a number worked out on paper: the right one is never shown
    accepted: Mapping[str, Callable | tuple] = field(default_factory=dict)
    nearly: Mapping[str, float] = field(default_factory=dict)
    returns: Sequence[str] = ()


def number(name: str, about: str, right: float, mistakes: Mapping[str, float | tuple],
           tolerance: float = 1e-9, **more) -> Task:
    """A task whose answer is a number worked out on paper and written into the exercise as a
    constant."""

    def constant(value):
        return lambda: value

    ways = {hint: tuple(map(constant, each(value))) for hint, value in mistakes.items()}
    return Task(name, about, constant(right), mistakes=ways,
                call=lambda student: getattr(student, name), tolerance=tolerance, by_hand=True,
                **more)


# ---- The three steps ----------------------------------------------------------------------------


def cases_of(task: Task, rng) -> list[tuple]:
    """The inputs on which a task is checked."""
    return list(task.inputs(rng))


def result_of(task: Task, status, message="", kind=None, hint=None, example="") -> dict:
    """What is said of a task; see `verdict`."""
    return {
        "name": task.name,
        "status": status,
        "points": task.points,
        "earned": task.points if status == "passed" else 0,
        "kind": kind or status,
        "hint": hint,
        "message": message,
        "example": example,
    }


def verdict(task: Task, hints: Mapping[str, Hint], cases: Sequence[tuple],
            answers: Sequence) -> dict:
    """What is right or wrong about the answers: name, status, points, earned, kind, hint, message,
    example.

    `message` tells nothing about the cases, `example` is the smallest case that fails with the
    answer and the right one ("" for a number on paper). `hint` is a name, or None; `kind` says
    what sort of failure it is.
    """

    result = partial(result_of, task)
    if answers and isinstance(answers[-1], NotWritten):
        return result("todo", answers[-1].message,
                      "missing" if "there is no" in answers[-1].message else "todo")
    rights = [answer_of(task.oracle, case) for case in cases]
    wrong = [i for i in range(len(cases)) if not same(answers[i], rights[i], task.tolerance)]
    if not wrong:
        return result("passed")
    legal = diagnose(task.accepted, cases, answers, task.tolerance)
    if legal is not None:
        return result("passed", str(hints[legal]), "accepted", legal)
    first = min(wrong, key=lambda i: (size(cases[i]), len(show(cases[i]))))
    answer, right = answers[first], rights[first]
    example = "" if task.by_hand else example_of(task, cases[first], answer, right)
    hint = diagnose(task.mistakes, cases, answers, task.tolerance)
    if hint is not None:
        return result("failed", str(hints[hint]), "hint", hint, example)
    if task.by_hand:
        return result("failed", *explain_number(answer, right, task.tolerance))
    if isinstance(answer, Raises):
        return result("error", explain_exception(answer), "exception", None, example)
    kind, message = explain(answer, right, task.returns)
    if not kind and all(same(a, r, NEARLY, NEARLY_SMALLEST) for a, r in zip(answers, rights)):
        for name, tolerance in task.nearly.items():
            if all(same(a, r, tolerance, NEARLY_SMALLEST) for a, r in zip(answers, rights)):
                return result("failed", str(hints[name]), "hint", name, example)
        kind, message = (
            "precision",
            ("The first digits are right and the later ones are not. Look for float32, for "
             "rounding, or for a small number that is added; answers are compared in float64."))
    return result("failed",
                  message or f"The answer is wrong on {len(wrong)} of {len(cases)} inputs.",
                  kind or "value", None, example)


def check_tasks(tasks: Sequence[Task], hints: Mapping[str, Hint]):
    """Refuse a test_exercise.py that breaks the contract of lessons/README.md. Raises UserError."""
    names = [task.name for task in tasks]
    if len(set(names)) != len(names) or not names:
        raise UserError(f"TASKS: names must be different and at least one: {names}")
    used = set()
    for i, task in enumerate(tasks):
        if not set(task.needs) <= set(names[:i]):
            raise UserError(
                f"task {task.name}: needs {list(task.needs)}, which must be tasks before it")
        given = task.mistakes.keys() | task.accepted.keys() | task.nearly.keys()
        if not given <= hints.keys():
            raise UserError(f"task {task.name}: no hint for {sorted(given - hints.keys())}")
        used |= given
    if unused := hints.keys() - used:
        raise UserError(f"HINTS: no task uses {sorted(unused)}")


def each(ways: Callable | tuple) -> tuple:
    """The functions of one misconception, which may show in several ways."""
    return ways if isinstance(ways, tuple) else (ways,)


# ---- Comparing ----------------------------------------------------------------------------------


def answer_of(function, arguments):
    """What a function answers; Raises where it raises."""
    try:
        return function(*copy.deepcopy(arguments))
    except Exception as error:
        return Raises(type(error).__name__)


def same(actual, expected, tolerance: float, smallest: float = SMALLEST) -> bool:
    """Equal: numbers to `tolerance`, lists, tuples and arrays by their contents, NaN to NaN. None
    is only None.

    Numbers of an array are compared relative to the largest finite one of the expected array, or
    to `smallest` where all are smaller.
    Complex numbers, text and arrays of objects equal no real number.
    """
    try:
        with np.errstate(all="ignore"):
            return bool(_same(actual, expected, tolerance, smallest))
    except Exception:  # an object of the reader's own that cannot be compared
        return False


def _same(actual, expected, tolerance, smallest) -> bool:
    if isinstance(expected, Raises) or isinstance(actual, Raises):
        return (isinstance(expected, Raises) and isinstance(actual, Raises)
                and actual.name == expected.name)
    if expected is None or isinstance(expected, (str, bytes, bool)):
        return (type(actual) is type(expected) and actual == expected
                or (isinstance(expected, bool) and isinstance(actual, np.bool_)
                    and bool(actual) == expected))
    if isinstance(expected, Mapping):
        return (isinstance(actual, Mapping) and actual.keys() == expected.keys()
                and all(_same(actual[key], value, tolerance, smallest)
                        for key, value in expected.items()))
    if isinstance(expected, (set, frozenset)):
        return isinstance(actual, (set, frozenset)) and actual == expected
    if isinstance(expected, (list, tuple)) and not _numeric(expected):
        return (isinstance(actual, (list, tuple, np.ndarray)) and len(actual) == len(expected)
                and all(_same(a, b, tolerance, smallest) for a, b in zip(actual, expected)))
    actual, expected = numbers(actual), numbers(expected)
    if actual is None or actual.dtype.kind == "c" or actual.shape != expected.shape:
        return False
    if expected.dtype.kind in "iub" and actual.dtype.kind in "iub":
        return np.array_equal(actual, expected)
    actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(expected)
    if not np.array_equal(actual[~finite], expected[~finite], equal_nan=True):
        return False
    scale = np.max(np.abs(expected[finite]), initial=0.0)
    return np.all(np.abs(actual[finite] - expected[finite]) <= tolerance * max(scale, smallest))


def numbers(value) -> np.ndarray | None:
    """The value as an array of numbers (of kind b, i, u, f or c), or None."""
    if value is None or isinstance(value, (str, bytes, Mapping, set, frozenset)):
        return None
    try:
        array = np.asarray(float(value) if isinstance(value, (Fraction, Decimal)) else value)
        array = array.astype(np.float32) if array.dtype.name == "bfloat16" else array
    except Exception:
        return None
    return array if array.dtype.kind in "biufc" else None


def _numeric(values) -> bool:
    """Is this a (nested) list of plain numbers, all rows of one length?"""
    try:
        return len(values) > 0 and np.asarray(values).dtype.kind in "iuf"
    except ValueError:
        return False


def diagnose(mistakes: Mapping[str, Callable | tuple], cases, answers,
             tolerance: float) -> str | None:
    """The first hint one of whose functions gives the reader's answer on every input, or None."""
    for hint, ways in mistakes.items():
        for mistake in each(ways):
            if all(same(answer, answer_of(mistake, case), tolerance)
                   for case, answer in zip(cases, answers)):
                return hint
    return None


# ---- What a reader is told ----------------------------------------------------------------------


def explain(answer, right, returns: Sequence[str] = (),
            what: str = "The answer") -> tuple[str, str]:
    """(kind, message) for what is wrong with an answer besides its numbers: its type, its shape;
    else ("", "")."""
    if isinstance(right, Raises):
        return "value", f"An answer comes back where the call should raise {right.name}."
    if isinstance(answer, Raises):
        return "exception", explain_exception(answer)
    if answer is None and right is not None:
        if what != "The answer":
            return "none", f"{what} is None."
        return "none", "It returns None. Is there a return at the end of every path?"
    if (isinstance(right, (tuple, list)) and isinstance(answer, (tuple, list))
        and not _numeric(right)):
        if len(answer) != len(right) and (isinstance(right, tuple) or returns):
            return (
                "shape",
                f"{what} holds {len(answer)} values where {len(right)} are expected{_named(returns)}.",
            )
        for i, (a, r) in enumerate(zip(answer, right)):
            if not same(a, r, NEARLY) and len(answer) == len(right):
                kind, message = explain(a, r, (), returns[i] if i < len(returns) else f"entry {i}")
                if kind:
                    return kind, message
        return "", ""
    if isinstance(right, Mapping) and isinstance(answer, Mapping):
        if missing := [key for key in right if key not in answer]:
            return "value", f"{what} lacks {_kind_of_keys(missing)}." if len(missing) < len(
                right) or answer else ""
        for key, r in right.items():
            kind, message = explain(answer[key], r, (), f"entry {show(key)}")
            if kind:
                return kind, message
        return "", ""
    given, needed = numbers(answer), numbers(right)
    if needed is None:
        alike = type(answer) is type(right) or all(isinstance(x, (list, tuple))
                                                   for x in (answer, right))
        return (("", "") if alike
                else ("dtype", f"{what} is {kind_of(answer)} where {kind_of(right)} is expected."))
    if given is None or given.dtype.kind == "c":
        return "dtype", f"{what} is {kind_of(answer)} where {kind_of(right)} is expected."
    if given.ndim and not needed.ndim:
        return "shape", (
            f"{what} is {kind_of(answer)} where a single number is expected. Look for a comma after what is "
            "returned, or for a sum or mean that is missing."
        )
    lists = isinstance(answer, (list, tuple)) and given.ndim == needed.ndim == 1
    if lists and len(given) != len(needed):
        return "shape", f"{what} has {len(given)} entries where {len(needed)} are expected."
    if given.shape != needed.shape:
        return "shape", (
            f"{what} has the shape {given.shape} where {needed.shape} is expected. Print the shape after "
            "each step."
        )
    whole = needed.dtype.kind in "iub" and not same(given, needed, NEARLY)
    if whole and given.dtype.kind == "f" and not np.array_equal(given, np.round(given)):
        return "dtype", f"{what} holds fractions where whole numbers are expected."
    if np.isnan(given).any() and not np.isnan(needed).any():
        return "nan", (
            f"{what} holds NaN (not a number). Look for 0/0, inf - inf, inf * 0, or the root or logarithm of a "
            "negative number."
        )
    if np.isinf(given).any() and not np.isinf(needed).any():
        return ("inf",
                f"{what} holds inf. Look for a division by zero, log(0), or exp of a large number.")
    if given.dtype in (np.float32, np.float16) and needed.dtype == np.float64:
        return "dtype", (
            f"{what} is in {given.dtype}, which loses digits that are checked. Keep float64: look for astype or "
            "dtype=."
        )
    return "", ""


def explain_exception(error: Raises) -> str:
    where = f" (line {error.line} of your file)" if error.line else ""
    text = (f"It raises {error.name}: {show_text(error.message)}{where}" if error.message
            else f"It raises {error.name}{where}")
    more = {
        "EOFError": "Nobody answers input() while a function is checked.",
        "SystemExit": "A function returns its answer and ends nothing.",
        "MemoryError": "Look for an array that is much larger than its inputs.",
        "RecursionError": "Look for a function that calls itself without end.",
    }.get(error.name)
    if error.name == "ModuleNotFoundError":
        more = (
            "When it is checked there is only what the exercise imports, and Python's own library: "
            "take this import out.")
    return f"{text}. {more}" if more else text


def explain_number(answer, right, tolerance: float) -> tuple[str, str]:
    """(message, kind) for a wrong number on paper. Never shows the right one."""
    value = numbers(answer)
    if isinstance(answer, (str, bytes)):
        return f"{show(answer)} is text. Write the number without quotes.", "dtype"
    if value is None or value.ndim or value.dtype.kind == "c":
        return f"This is {kind_of(answer)}; one number is expected.", "dtype"
    value = float(value)
    if 0 < right < 1 and abs(value - 100 * right) <= tolerance * 100 * right:
        return (f"{show(answer)} is a percentage. Write it as a share of 1: divide it by 100.",
                "number")
    digits = next((d for d in range(4) if value == round(right, d) and value), None)
    if digits is not None and abs(value - right) < 0.06 * abs(right):
        return (f"{show(answer)} was rounded too far. Give more digits, or write the formula.",
                "number")
    return (f"{show(answer)} is not the answer. Work it out again on paper, one step per line.",
            "number")


def kind_of(value) -> str:
    """What sort of thing a value is, in a beginner's words."""
    if isinstance(value, Unlike):
        return value.what
    array = numbers(value)
    if array is not None and array.dtype.kind == "c":
        return "complex numbers" if array.ndim else "a complex number"
    if isinstance(value, (bool, np.bool_)):
        return "True or False"
    if value is None:
        return "None"
    if callable(value):
        return "a function or class (were the parentheses of a call forgotten?)"
    for types, words in (
        ((str,), "text"),
        ((bytes,), "bytes"),
        ((Mapping,), "a dict"),
        ((set, frozenset), "a set"),
        ((list,), "a list"),
        ((tuple,), "a tuple"),
    ):
        if isinstance(value, types):
            return words
    if array is not None:
        return "an array of numbers" if array.ndim else "a number"
    if isinstance(value, np.ndarray):
        return f"an array of {'text' if value.dtype.kind in 'US' else 'objects'}"
    return "something else"


def _named(returns) -> str:
    return f" ({', '.join(returns)})" if returns else ""


def _kind_of_keys(keys) -> str:
    return f"the key {show(keys[0])}" + (f" and {len(keys) - 1} more" if len(keys) > 1 else "")


def example_of(task: Task, case, answer, right) -> str:
    """The case with the answer and the right one; of several values only those that are wrong."""
    asked = call(task, case)
    if isinstance(answer, Raises):
        return f"{asked} raises {answer.name}"
    said = []
    for name, a, r in differences(answer, right, task.tolerance, task.returns):
        given, expected = show_two(a, r)
        said.append(
            f"{name or ''} {'is' if name else 'gives'} {given}, right is {expected}".strip())
    more = f"; and {len(said) - 2} more" if len(said) > 2 else ""
    return f"{asked}{' ' if said[0].startswith('gives') else ': '}{'; '.join(said[:2])}{more}"


def differences(answer, right, tolerance: float, returns: Sequence[str] = (), name: str = ""):
    """Yields (name, what it is, what it should be) for each part that is wrong; the name is "" for
    the whole."""
    if (isinstance(right, (tuple, Mapping)) and isinstance(answer, type(right))
        and len(answer) == len(right) and right):
        keys = right.keys() if isinstance(right, Mapping) else range(len(right))
        if not isinstance(right, Mapping) or answer.keys() == keys:
            for key in keys:
                if not same(answer[key], right[key], tolerance):
                    part = returns[key] if returns else f"entry {show(key)}"
                    yield from differences(answer[key], right[key], tolerance, (),
                                           f"{name} {part}".strip())
            return
    a, r = numbers(answer), numbers(right)
    if a is not None and r is not None and a.shape == r.shape and r.size > MANY:
        far = np.abs(a.astype(complex) - r)
        at = np.unravel_index(np.argmax(np.where(np.isfinite(far), far, np.inf)), r.shape)
        name, answer, right = f"{name or 'the answer'}{list(map(int, at))}", a[at], r[at]
    yield name, answer, right


def show_two(a, b) -> tuple[str, str]:
    """Two different values, with enough digits to see the difference."""
    for digits in (6, 10, 17):
        one, two = show(a, digits), show(b, digits)
        if one != two:
            return one, two
    return f"{one} ({kind_of(a)})", f"{two} ({kind_of(b)})"


def show(value, digits: int = 6) -> str:
    """A value on one line of at most LONGEST characters."""
    try:
        text = " ".join(_shown(value, digits).split("\n"))
    except Exception:
        text = "something that cannot be shown"
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _shown(value, digits) -> str:
    if isinstance(value, Raises):
        return f"an exception ({value.name})"
    if isinstance(value, np.floating):
        value = float(value)
    if isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "__array__"):
        text = np.array2string(np.asarray(value), precision=digits, separator=", ", threshold=MOST)
        return " ".join(text.split())
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if type(value) in (list, tuple):
        inside = ", ".join(_shown(item, digits) for item in value)
        return f"[{inside}]" if type(value) is list else f"({inside}{',' * (len(value) == 1)})"
    if type(value) is dict:
        if size(value) > MOST and all(isinstance(item, np.ndarray) for item in value.values()):
            return "{" + ", ".join(f"{key} {item.shape}" for key, item in value.items()) + "}"
        return ("{" + ", ".join(f"{_shown(key, digits)}: {_shown(item, digits)}"
                                for key, item in value.items()) + "}")
    return value.__name__ if callable(value) and hasattr(value, "__name__") else repr(value)


def show_text(text: str) -> str:
    """Text of an exception on one line."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def call(task: Task, case) -> str:
    return f"{task.name}({', '.join(map(show, case))})"


def size(value) -> int:
    """How many numbers or characters a value holds: what a reader has to look through."""
    if isinstance(value, (str, bytes)):
        return max(1, len(value) // 4)
    if isinstance(value, np.ndarray):
        return value.size
    if isinstance(value, Mapping):
        return sum(map(size, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return sum(map(size, value))
    return 1


# ---- Drawing inputs -----------------------------------------------------------------------------


def sizes(rng, low: int, high: int, shape: tuple[int, int]) -> np.ndarray:
    """(how many, axes) random sizes of arrays, from `low` to below `high`, small ones first and
    often tiny."""
    drawn = rng.integers(low, high, shape)
    tiny = shape[0] // 2
    drawn[:tiny] = rng.integers(low, min(low + 2, high), (tiny, shape[1]))
    return drawn[np.argsort(drawn.prod(axis=1), kind="stable")]


def normal(rng, *shape: int) -> np.ndarray:
    """Normal numbers with one digit after the point, so that they are quickly read; none is 0."""
    x = np.round(rng.standard_normal(shape), 1)
    return np.where(x == 0, 0.1, x)
