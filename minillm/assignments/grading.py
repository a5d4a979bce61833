"""Grades one submission: the cases of every lesson in, its answers out, compared here; never
raises because of what was handed in. How a file is asked and judged is in course/checking.py, and
the same for `minillm assignment check`.
"""

import hashlib
import re
from pathlib import Path

from minillm.assignments import sandbox
from minillm.assignments.assignment import Part, read_assignment
from minillm.assignments.collecting import Submission
from minillm.assignments.tables import plain
from minillm.course.checking import judge_file, read_checks, remembering
from minillm.files import read_json

PRINTED = 2000
SHOWN = ("name", "status", "kind", "hint", "helped")        # of a task, besides its two texts


class Grader:
    """A key, read once; grades any number of submissions, also at a time."""

    def __init__(self, key: Path, way: str):
        self.assignment, self.way = read_assignment(key), way
        self.secret = read_json(key / "secret.json")
        self.lessons = {part.name: read_lesson(key, part) for part in self.assignment.parts}
        if not self.secret["per_student"]:
            self.lessons = {name: remembering(checks) for name, checks in self.lessons.items()}

    def grade(self, submission: Submission) -> dict:
        """{"student", "parts": [{"name", "printed", "tasks": [result]}]}: what
        checking.judge_file says, without points.
        """
        seed, parts = seed_of(self.secret, submission.student), []
        for part in self.assignment.parts:
            if part.file in submission.files:
                tasks, printed = judge(self.lessons[part.name], part, submission.files[part.file],
                                       seed, self.assignment.limits, self.way)
                for task in tasks:
                    if task["name"] in part.practice:
                        task |= PRACTICE | {"name": task["name"]}
            else:
                reason = submission.problems.get(part.file, "it is missing")
                tasks, printed = of_all(part, "todo", "file", f"{part.file}: {reason}."), ""
            parts.append({"name": part.name, "printed": clean(printed[:PRINTED], lines=True),
                          "tasks": list(map(_shown, tasks))})
        return {"student": submission.student, "parts": parts}


def judge(checks, part: Part, file: bytes, seed: int, limits, way: str) -> tuple[list, str]:
    """(results, what was printed) of one file, on the inputs of `seed`."""
    return judge_file(checks, file, [seed, int(part.number)], limits, lambda: sandbox.of(way))


def read_lesson(key: Path, part: Part):
    """The hidden checks of a lesson, with the reference that may be lent."""
    folder = key / "lessons" / part.name
    return read_checks(folder, folder / "solution.py")


def stub_of(folder: Path) -> str:
    """The stub of a lesson as the handout has it."""
    stub = (folder / "exercise.py").read_text(encoding="utf-8")
    return re.sub(r"minillm lesson check \d+", "minillm assignment check", stub)


def seed_of(secret: dict, student: str) -> int:
    """The seed of a student's hidden inputs; the same for all unless they are "per_student"."""
    text = f"{secret['seed']}\n{student if secret['per_student'] else ''}"
    data = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(data[:8], "little")


def result(name: str, status: str, kind: str, message: str, example: str = "") -> dict:
    return {"name": name, "status": status, "kind": kind, "hint": None, "message": message,
            "example": example, "helped": []}


def of_all(part: Part, *about) -> list[dict]:
    """The same result for every task of a lesson."""
    return [result(name, *about) for name in part.points]


PRACTICE = result("", "practice", "practice", "For practice, without points: only your own process "
                  "could show this. minillm assignment check looks at it.")


def _shown(task: dict) -> dict:
    texts = {name: clean(task[name])[:2000] for name in ("message", "example")}
    return {name: task[name] for name in SHOWN} | texts


def clean(text: str, lines: bool = False) -> str:
    """Printable text, whatever a stranger put in it, without addresses and folders, which differ
    from run to run.
    """
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", str(text))
    text = re.sub(r"\S*/minillm-box-[^/\s]*", "", text)
    return plain(text if lines else " ".join(text.split()))
