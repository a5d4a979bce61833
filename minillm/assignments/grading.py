"""Grades one submission: every lesson of an assignment, every task of a lesson; never raises because of what was handed in.

A lesson's tasks are asked in one process, as long as all that they need has passed. A task whose prerequisites failed is asked in a
process of its own, in which the reference stands in for those: its functions run in another sandbox, and calls go there by way of the
grader. So no line of the reference is ever where a submission could read it, and nothing but that one task is taken from that process.
"""

import hashlib
import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minillm.assignments import judging, reference
from minillm.assignments.box import HELPED, OWN, REFERENCE, Box, Gone
from minillm.assignments.sandbox import Limits
from minillm.course.lessons import load_module

FILE = "the_exercise.py"
PRACTICE = {"status": "practice", "kind": "practice", "hint": None, "detail": "",
            "message": "for practice: only your own process can show this, so there are no points for it. minillm assignment check looks at it."}
TRAVEL = 3                       # as many times the seconds of a task, where calls to the reference travel


@dataclass(frozen=True)
class LessonKey:
    """What the grader needs of one lesson: its tests, run here; its reference, run in the sandbox."""

    name: str
    tasks: list
    hints: dict
    solution: bytes
    points: dict                 # task -> points
    jax: bool
    needs: dict                  # task -> all that it needs
    practice: tuple = ()         # tasks that are not asked

    @property
    def number(self) -> int:
        return int(self.name[:2])


def read_lesson_key(folder: Path, points: dict[str, float], practice=()) -> LessonKey:
    """The key of the lesson in `folder`: test_exercise.py, solution.py, exercise.py."""
    tests = load_module(folder / "test_exercise.py", "test_exercise")
    solution, stub = ((folder / name).read_bytes() for name in ("solution.py", "exercise.py"))
    return LessonKey(folder.name, tests.TASKS, tests.HINTS, solution, points, "jax" in reference.libraries(solution, stub), reference.all_needs(tests.TASKS),
                     tuple(practice))


def seed_of(secret: str, student: str | None) -> int:
    """The seed of a student's hidden inputs; the same for all where `student` is None."""
    return int.from_bytes(hashlib.sha256(f"{secret}\n{student or ''}".encode("utf-8", "surrogatepass")).digest()[:8], "little")


def grade_lesson(key: LessonKey, file: bytes, seed: int, way: str, limits: Limits) -> list[dict]:
    """What `judging.judge` found for every task, with "points", "earned", "helped" (what the reference stood in for), "printed"."""
    with LessonRun(key, file, seed, way, limits) as run:
        found = {}
        for index, task in enumerate(key.tasks):
            missing = [name for name in key.needs[task.name] if found[name]["status"] != "passed"]
            result = PRACTICE if task.name in key.practice else run.broken or (run.ask_helped(index, task, missing) if missing else run.ask(index, task))
            points = key.points[task.name]
            found[task.name] = result | {"name": task.name, "points": points, "earned": points if result["status"] == "passed" else 0,
                                         "helped": [] if run.broken else [name for name in missing if name not in key.practice]}
    return [result | {"printed": re.sub(r" at 0x[0-9a-fA-F]+", "", run.printed[:2000])} for result in found.values()]


class LessonRun:
    """The processes in which one lesson of one submission is asked. A context manager, which leaves none behind."""

    def __init__(self, key, file, seed, way, limits):
        self.key, self.file, self.seed, self.way = key, file, seed, way
        self.limits = limits.with_jax() if key.jax else limits
        self.box = self.module = self.helper = self.reference = None
        self.broken, self.printed = None, ""                 # broken: what to say of every task when the file cannot be run at all

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for box in (self.box, self.helper):
            if box is not None:
                box.close()
                self.printed += box.printed if box is self.box else ""

    def ask(self, index, task) -> dict:
        """Judge a task in the one process of this submission, which is started when need be."""
        if self.box is None:
            self.box, self.module = self.start(self.file)
            if self.box is None:
                self.broken = self.module
                return self.module
        result = self.judge(index, task, self.box, self.module, True)
        if self.box.reason or result["kind"] == "answer":
            self.box.close()
            self.printed += self.box.printed
            self.box = None
        return result

    def ask_helped(self, index, task, missing) -> dict:
        """Judge a task in a process of its own, where the reference stands in for the tasks `missing`."""
        if self.helper is None or self.helper.reason:
            self.helper, self.reference = self.start(self.key.solution, role=REFERENCE)
            if self.helper is None:
                raise RuntimeError(f"the reference does not run: {self.reference}")
        self.helper.give(TRAVEL * self.limits.seconds)
        with ExitStack() as stack:
            box, module = self.start(self.file, {name: self.far(name) for name in missing}, HELPED)
            if box is None:
                return module
            stack.callback(box.close)
            box.beside.append(self.helper)
            return self.judge(index, task, box, module, False)

    def far(self, name):
        """A function that calls the reference's of this name; see child.stand_in."""
        function = getattr(self.reference, name)

        def apply(*args, **more):
            return self.helper.peer.request("apply", function._number, args, more)
        return apply

    def start(self, file: bytes, given=(), role=OWN):
        """A process with a file in it, `given` {name: function} put in place of its own: (box, module), or (None, the result of what it was to answer)."""
        box = None
        try:
            box = Box({FILE: file}, self.way, self.limits, role, self.key.jax)
            box.give(self.limits.seconds)
            return box, judging.Module(box.peer, box.peer.request("load", box.file(FILE), dict(given)))
        except (Exception, Gone) as error:
            if isinstance(error, Gone) and error.reason.startswith("start"):      # the sandbox's fault, never the student's
                raise RuntimeError(f"a sandbox did not start: {error.reason}") from error
            if box is not None:
                box.close()
                self.printed += "" if given else box.printed
            if isinstance(error, Gone):
                kind, message, detail = error.reason.partition(":")[0], "reading your file: " + judging.stopped(error, self.limits), error.reason
            else:
                (kind, message), detail = judging.explain_load(error), ""
            return None, {"status": "error", "kind": kind, "hint": None, "message": judging.clean(message), "detail": judging.clean(detail)}

    def judge(self, index, task, box, module, own: bool) -> dict:
        box.give(self.limits.seconds * (1 if own else TRAVEL))
        try:
            return judging.judge(task, self.key.hints, module, np.random.default_rng([self.seed, self.key.number, index]), own)
        except Gone as gone:
            return {"status": "error", "kind": gone.reason.partition(":")[0], "hint": None, "message": judging.stopped(gone, self.limits), "detail": ""}
        except Exception as error:                           # an answer on which the check itself fails
            return {"status": "error", "kind": "answer", "hint": None, "detail": judging.clean(f"{type(error).__name__}: {error}"),
                    "message": "its answers could not be read. Return plain values: numbers, arrays, text, lists, dicts."}
