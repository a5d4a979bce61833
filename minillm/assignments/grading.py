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
from minillm.course.checking import judge_file, read_checks, remembering
from minillm.files import read_json

PRINTED = 2000


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
        seed = seed_of(
            self.secret["seed"], submission.student if self.secret["per_student"] else None
        )
        parts = []
        for part in self.assignment.parts:
            if part.file in submission.files:
                tasks, printed = self.judge(part, submission.files[part.file], seed)
            else:
                reason = submission.problems.get(part.file, "it is missing")
                tasks, printed = (
                    [
                        result(name, "todo", "file", f"{part.file}: {reason}.")
                        for name in part.points
                    ],
                    "",
                )
            parts.append({"name": part.name, "printed": printed, "tasks": tasks})
        return {"student": submission.student, "parts": parts}

    def judge(self, part: Part, file: bytes, seed: int) -> tuple[list, str]:
        checks = self.lessons[part.name]
        tasks, printed = judge_file(
            checks,
            file,
            [seed, int(part.name[:2])],
            self.assignment.limits,
            lambda: sandbox.of(self.way),
        )
        tasks = [
            PRACTICE | {"name": task["name"]} if task["name"] in part.practice else task
            for task in tasks
        ]
        return [_clean(task) for task in tasks], clean(printed[:PRINTED], lines=True)


def read_lesson(key: Path, part: Part):
    """The hidden checks of a lesson, with the reference that may be lent."""
    folder = key / "lessons" / part.name
    return read_checks(folder, folder / "solution.py")


def stub_of(folder: Path) -> str:
    """The stub of a lesson as the handout has it."""
    return re.sub(
        r"minillm lesson check \d+",
        "minillm assignment check",
        (folder / "exercise.py").read_text(encoding="utf-8"),
    )


def seed_of(secret: str, student: str | None) -> int:
    """The seed of a student's hidden inputs; the same for all where `student` is None."""
    text = f"{secret}\n{student or ''}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little")


def result(name: str, status: str, kind: str, message: str) -> dict:
    return {
        "name": name,
        "status": status,
        "kind": kind,
        "hint": None,
        "message": message,
        "example": "",
        "helped": [],
    }


PRACTICE = result(
    "",
    "practice",
    "practice",
    "For practice, without points: only your own process could show this. "
    "minillm assignment check looks at it.",
)


def _clean(task: dict) -> dict:
    kept = {name: task[name] for name in ("name", "status", "kind", "hint", "helped")}
    return kept | {name: clean(task[name])[:2000] for name in ("message", "example")}


def clean(text: str, lines: bool = False) -> str:
    """Printable text, whatever a stranger put in it, without addresses and folders, which differ
    from run to run.
    """
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", str(text))
    text = re.sub(r"\S*/minillm-box-[^/\s]*", "", text)
    text = text if lines else " ".join(text.split())
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
