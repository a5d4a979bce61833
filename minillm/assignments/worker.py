"""A process that grades one submission after the other: started by classroom.py, `python -m minillm.assignments.worker`.

In: JSON lines on standard input, first {"key", "way"}, then {"student", "files": {name: base64}, "problems": {name: text}}.
Out: a JSON line for each. It runs the checks of the key, never a submission. It is apart from the grader so that an answer that
brings it down costs nothing but one submission, and it ends when the grader does.
"""

import base64
import json
import os
import sys
import warnings
from contextlib import suppress
from pathlib import Path

from minillm.assignments import processes
from minillm.assignments.assignment import read_assignment, rounded
from minillm.assignments.grading import grade_lesson, read_lesson_key, seed_of
from minillm.assignments.judging import clean
from minillm.files import read_json

MEMORY = 6 * 2**30


class Grader:
    """A key, read once; grades any number of submissions."""

    def __init__(self, key: Path, way: str):
        self.assignment, self.way = read_assignment(key), way
        self.secret = read_json(key / "secret.json")
        self.keys = {part.name: read_lesson_key(key / "lessons" / part.name, part.points, part.practice) for part in self.assignment.parts}

    def grade(self, student: str, files: dict[str, bytes], problems: dict[str, str]) -> dict:
        """{"student", "parts": [{"name", "earned", "of", "tasks"}], "earned", "of"}."""
        seed = seed_of(self.secret["seed"], student if self.secret["per_student"] else None)
        parts = []
        for part in self.assignment.parts:
            if part.file in files:
                tasks = grade_lesson(self.keys[part.name], files[part.file], seed, self.way, self.assignment.limits)
            else:
                reason = problems.get(part.file, "it is missing")
                tasks = [{"name": name, "status": "todo", "kind": "file", "hint": None, "message": clean(f"{part.file}: {reason}."), "detail": "",
                          "points": points, "earned": 0, "helped": [], "printed": ""} for name, points in part.points.items()]
            parts.append({"name": part.name, "title": part.title, "earned": rounded(sum(t["earned"] for t in tasks)), "of": part.of, "tasks": tasks})
        return {"student": student, "parts": parts, "earned": rounded(sum(p["earned"] for p in parts)), "of": self.assignment.of}


def main():
    processes.die_with_parent()
    with suppress(ImportError, ValueError, OSError):
        import resource
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = json.loads(sys.stdin.readline())
    grader = Grader(Path(job["key"]), job["way"])
    for line in sys.stdin:
        job = json.loads(line)
        files = {name: base64.b64decode(data) for name, data in job["files"].items()}
        answers.write(json.dumps(grader.grade(job["student"], files, job["problems"])) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
