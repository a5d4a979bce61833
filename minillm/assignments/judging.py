"""Judges one task of a submission that runs elsewhere, and says what is wrong so that a beginner understands it.

The grader computes the right answers and compares; the submission only ever answers. What a student is told holds no input and no
right answer of the hidden checks: only the hint, the kind of the failure, and the student's own exception.
"""

import copy
import re

import numpy as np

from minillm.assignments.box import Gone
from minillm.assignments.wire import Handle, Refused
from minillm.course.exercises import LONGEST, Raises, answer_of, call, diagnose, same, show

STOPPED = {
    "time": "took too long (more than {seconds:g} s). Look for a loop that never ends, on the smallest input that you can think of; then for "
            "loops over numbers that NumPy could do at once.",
    "memory": "needed more memory than there is ({memory} MB). Look for an array that is much larger than its inputs, or a list that never stops growing.",
    "processes": "started too many processes or threads. A task needs none.",
    "output": "printed without end (more than {output} MB). Take the print out of the loop.",
    "exit": "ended the whole program (by exit(), quit() or a crash). A function should return its answer and end nothing.",
    "channel": "wrote into the pipe on which answers go to the grader, so nothing that it said could be read.",
    "start": "could not be started.",
}


class Module:
    """The submission as a test sees it: its functions and numbers, which are elsewhere."""

    def __init__(self, peer, number: int):
        self._peer, self._number = peer, number

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self._peer.request("get", self._number, name)

    def changeable(self, arguments):
        """What a function does to arrays, lists and dicts shows in these arguments, and in nothing else of the grader's."""
        found, waiting = set(), [arguments]
        while waiting:
            value = waiting.pop()
            if isinstance(value, (list, dict, np.ndarray)):
                found.add(id(value))
            waiting += value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
        self._peer.changeable = found

    def has(self, name: str) -> bool:
        return self._peer.request("has", self._number, name) is True


def judge(task, hints, student: Module, rng, own: bool = True) -> dict:
    """One task: {"name", "status", "kind", "hint", "message", "detail"}; `detail` is for the teacher only.

    own: nothing of the reference runs beside the submission; otherwise no text that the submission made is shown to its author.
    Raises Gone when its process ended.
    """
    def found(status, message="", hint=None, kind=None, detail=""):
        return {"name": task.name, "status": status, "kind": kind or status, "hint": hint, "message": clean(message), "detail": clean(detail)}

    if not student.has(task.name) and (task.call is None or task.by_hand):
        return found("todo", f"there is no {task.name} in your file. Keep the names of the handout: the grader looks for them.", kind="missing")
    cases, answers, rights, trouble = [], [], [], None
    for case in task.inputs(rng):
        try:
            given = copy.deepcopy(case)
            student.changeable(given)
            answer = task.call(student, *given) if task.call is not None else getattr(student, task.name)(*given)
        except NotImplementedError:
            return found("todo", "not written yet.")
        except Refused as error:
            answer, trouble = Raises("Refused"), trouble or error
        except Exception as error:
            answer, trouble = Raises(type(error).__name__), trouble or error
        if task.by_hand and answer is None:
            return found("todo", "not filled in yet.")
        cases.append(case)
        answers.append(answer)
        rights.append(answer_of(task.oracle, case))
    wrong = [i for i in range(len(cases)) if not safe_same(answers[i], rights[i], task.tolerance)]
    if not wrong:
        return found("passed")
    smallest = min(wrong, key=lambda i: len(repr(cases[i])))
    detail = f"{call(task, cases[smallest])} gives {describe(answers[smallest])}, right is {show(rights[smallest])}; wrong on {len(wrong)} of {len(cases)} inputs"
    hint = diagnose(task.mistakes, cases, answers, task.tolerance) if not any(map(holds_handle, answers)) else None
    if hint is not None:
        return found("failed", f"{hints[hint].misconception} {hints[hint].see}", hint, "hint", detail)
    if task.by_hand:
        number = numbers(answers[smallest])
        if number is None or number.ndim:
            return found("failed", f"it is {kind_of(answers[smallest])} where a number is asked for.", None, "dtype", detail)
        return found("failed", "this number is not it. Work it out again on paper, one step a line.", None, "number", detail)
    kind, message = explain(answers[smallest], rights[smallest], trouble, own)
    return found("error" if kind == "exception" else "failed", message or f"its answer is wrong on {len(wrong)} of {len(cases)} inputs. "
                 "minillm assignment check shows you one of its own inputs on which it fails.", None, kind, detail)


def safe_same(actual, expected, tolerance) -> bool:
    """`same`, for an answer of a stranger: whatever cannot be compared is not equal."""
    if holds_handle(actual):
        return False
    try:
        with np.errstate(all="ignore"):
            return same(actual, expected, tolerance)
    except (TypeError, ValueError, OverflowError, MemoryError, RecursionError, AttributeError):
        return False


def holds_handle(value) -> bool:
    """Is there an object of the other side in it?"""
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(holds_handle, value))
    if isinstance(value, dict):
        return any(holds_handle(key) or holds_handle(item) for key, item in value.items())
    return isinstance(value, Handle)


def describe(value) -> str:
    try:
        return show(value)
    except Exception:
        return "something that cannot be shown"


def explain(answer, right, trouble, own: bool) -> tuple[str, str]:
    """(kind, what to say) of a wrong answer; nothing to say where it is simply another number."""
    if isinstance(answer, Raises):
        return "exception", explain_exception(trouble, own)
    if isinstance(right, Raises):
        return "value", "it gives an answer where it should raise an exception."
    if answer is None:
        return "none", "it returns None. Is there a return at the end of every path?"
    if isinstance(right, (tuple, list)) and isinstance(answer, (tuple, list)) and len(answer) != len(right):
        return "shape", "it returns another number of things than it should." if not own else f"it returns {len(answer)} things where {len(right)} are right."
    given, needed = numbers(answer), numbers(right)
    if needed is None:
        same_kind = type(answer) is type(right) or isinstance(right, (list, tuple)) and isinstance(answer, (list, tuple))
        return ("value", "") if same_kind else ("dtype", f"it returns {kind_of(answer)} where {kind_of(right)} is right.")
    if given is None or given.dtype.kind not in "biuf":
        return "dtype", f"it returns {kind_of(answer)} where {kind_of(right)} is right."
    if given.ndim and not needed.ndim:
        return "shape", "it returns an array or a list where a single number is right. Look for a comma after what is returned, or a sum or mean that is missing."
    if given.shape != needed.shape:
        return "shape", (f"its answer has the shape {given.shape}; the right one has {needed.shape}. Print the shape after each step, and compare with the "
                         "handout." if own else "its answer has another shape than the right one. Print the shape after each step, and compare with the handout.")
    if needed.dtype.kind in "iub" and given.dtype.kind == "f" and not np.array_equal(given, np.round(given)):
        return "dtype", "it returns numbers with a fraction where whole ones are right."
    if np.isnan(given).any() and not np.isnan(needed).any():
        return "nan", "its answer holds NaN (not a number) where the right one does not. Look for 0/0, inf - inf, or the root or logarithm of a negative number."
    if np.isinf(given).any() and not np.isinf(needed).any():
        return "inf", "its answer holds inf where the right one does not. Look for a division by zero, log(0), or exp of a large number."
    if given.dtype in (np.float32, np.float16) and needed.dtype == np.float64:
        return "dtype", f"it computes in {given.dtype}, and so loses digits that the check looks at. Keep float64: look for astype or dtype=."
    if own and needed.dtype.kind == "f" and np.allclose(given, needed, rtol=1e-5, atol=1e-7):
        return "precision", "the first digits of its answer are right and the later ones are not. Look for float32 or rounding on the way; the check compares in float64."
    return "value", ""


def explain_exception(trouble, own: bool) -> str:
    if isinstance(trouble, Refused):
        return f"its answer could not be taken: {trouble}. Return plain values: numbers, arrays, text, lists, dicts."
    name, line = type(trouble).__name__, getattr(trouble, "line_of_file", None)
    if not own:
        return "it raises an exception. Run minillm assignment check to see which, and where."
    if name in ("SystemExit", "KeyboardInterrupt"):
        return f"it raises {name}: a function should return its answer and end nothing."
    if name == "ModuleNotFoundError":
        return f"it raises {name}: {trouble}. When it is graded there is only what the handout imports, and Python's own library: take this import out."
    if name == "EOFError":
        return f"it raises {name}: {str(trouble)[:200]}" + (f" (line {line} of your file)" if line else "") + ". When it is graded nobody answers input()."
    if name == "MemoryError":
        return "it needed more memory than there is. Look for an array that is much larger than its inputs."
    return f"it raises {name}: {str(trouble)[:200]}" + (f" (line {line} of your file)" if line else "")


def explain_load(error) -> tuple[str, str]:
    """(kind, what to say) when the file itself could not be run: nothing in it can be graded then."""
    name, line = type(error).__name__, getattr(error, "line_of_file", None)
    if name in ("SyntaxError", "IndentationError", "TabError"):
        return "syntax", (f"your file is not Python yet: {error}" + (f" (line {line})" if line else "") +
                          ". One such line stops the whole file, so none of its tasks could be graded: run the file once before you hand it in.")
    return "import", f"reading your file stops with an exception, so none of its tasks could be graded: {explain_exception(error, True).removeprefix('it raises ')}"


def stopped(gone: Gone, limits) -> str:
    reason = gone.reason.partition(":")[0]
    return "it " + STOPPED[reason].format(seconds=limits.seconds, memory=limits.memory, output=limits.output)


def numbers(value):
    """The value as an array of numbers, or None."""
    if isinstance(value, (str, bytes, dict, set, frozenset)) or value is None:
        return None
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, MemoryError, OverflowError):
        return None
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    return array if array.dtype.kind in "biufc" else None


def kind_of(value) -> str:
    """In a beginner's words, and never in a stranger's."""
    if isinstance(value, Handle):
        return "an object (a function, a generator, a class?)"
    array = numbers(value)
    if array is not None and array.dtype.kind == "c":
        return "complex numbers"
    if isinstance(value, bool):
        return "True or False"
    for types, words in (((str,), "text"), ((bytes,), "bytes"), ((dict,), "a dict"), ((set, frozenset), "a set"), ((list, tuple), "a list")):
        if isinstance(value, types):
            return words
    return "a number" if array is not None and array.ndim == 0 else "an array of numbers" if array is not None else "something else"


def clean(text: str) -> str:
    """One line of printable characters, whatever a stranger put in it, without addresses, which differ from run to run."""
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(str(text).split()))
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)[:4 * LONGEST]
