"""What run_autograder starts on Gradescope: grades submission/ by the key in source/ and writes
results/results.json.

`python -m minillm.assignments.gradescope_run ROOT`, as root; ROOT is /autograder, or a folder
laid out like it. Fields: https://gradescope-autograders.readthedocs.io/en/latest/specs/ and
.../submission_metadata/.
"""

import builtins
import dataclasses
import re
import sys
import time
from pathlib import Path

from minillm.assignments import reports, sandbox
from minillm.assignments.assignment import Assignment, after_lateness, days_late, read_assignment
from minillm.assignments.classroom import secrets_of, stubs_of
from minillm.assignments.collecting import in_folder, read_files
from minillm.assignments.grading import Grader
from minillm.assignments.records import Records
from minillm.errors import UserError
from minillm.files import make_folder, read_json, write_json


def main(root: Path) -> int:
    began = time.monotonic()
    source = root / "source"
    assignment, settings = read_assignment(source / "key"), read_json(source / "gradescope.json")
    metadata = (
        read_json(root / "submission_metadata.json")
        if (root / "submission_metadata.json").is_file()
        else {}
    )
    secrets = (*secrets_of(source / "key"), root / "submission", root / "submission_metadata.json")
    way = sandbox.choose("auto", secrets, may=("bubblewrap", "user"))
    submission = read_files(
        in_folder(root / "submission"),
        assignment.files,
        student_of(metadata),
        stubs=stubs_of(source / "key", assignment),
    )
    result = Grader(source / "key", way).grade(submission) | {"notes": submission.notes}
    days = lateness(assignment, metadata)
    make_folder(root / "results")
    write_json(
        root / "results" / "results.json",
        results(assignment, result, settings, way, days, time.monotonic() - began),
    )
    print(
        f"graded in sandbox {way}: {Records().points(assignment, result)['earned']:g} of "
        f"{assignment.of:g}"
    )
    return 0


def student_of(metadata: dict) -> str:
    """The student's address; of a group, all of them in order."""
    users = metadata.get("users") or []
    return (
        ",".join(
            sorted(
                str(user.get("email") or user.get("id") or "")
                for user in users
                if isinstance(user, dict)
            )
        )
        or "student"
    )


def lateness(assignment: Assignment, metadata: dict) -> int:
    """Days late by Gradescope's own times: the student's due date (extensions are in it), else
    the assignment's, else the key's.
    """
    if not assignment.late or not metadata.get("created_at"):
        return 0
    of_user = [
        (user.get("assignment") or {}).get("due_date")
        for user in metadata.get("users") or []
        if isinstance(user, dict)
    ]
    due = next(
        filter(
            None, [*of_user, (metadata.get("assignment") or {}).get("due_date"), assignment.due]
        ),
        None,
    )
    return days_late(dataclasses.replace(assignment, due=due), metadata["created_at"])


def results(
    assignment: Assignment, result: dict, settings: dict, way: str, days: int, seconds: float
) -> dict:
    """The object of results.json. Its texts hold no hidden input and no right answer."""
    tests, points = [], Records().points(assignment, result)
    for part, found in zip(assignment.parts, result["parts"]):
        for number, task in enumerate(found["tasks"], 1):
            if task["status"] == "practice":
                continue
            earned = points["tasks"][part.name, task["name"]]
            tests.append(
                {
                    "score": earned,
                    "max_score": part.points[task["name"]],
                    "status": "passed" if task["status"] == "passed" else "failed",
                    "name": f"{part.name}: {task['name']}",
                    "name_format": "text",
                    "number": f"{int(part.name[:2])}.{number}",
                    "output": reports.one_line(guarded_note(task)) or "passed",
                    "output_format": "text",
                    "tags": [part.name, task["hint"] or task["kind"]],
                    "visibility": settings["visibility"],
                    "extra_data": {"helped": task["helped"]},
                }
            )
    score = after_lateness(assignment, points["earned"], days)
    late = (
        f" {days} day{'s' if days > 1 else ''} late: {score:g} points are left of "
        f"{points['earned']:g}."
        if score != points["earned"]
        else ""
    )
    notes = "".join(f" {reports.one_line(note)}." for note in result.get("notes", ()))
    found = {
        "score": score,
        "execution_time": round(seconds),
        "output": f"Graded by hidden checks: the tasks of minillm assignment check, on other inputs.{late}{notes}",
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": settings["visibility"],
        "stdout_visibility": "hidden",
        "extra_data": {"sandbox": way, "days_late": days},
        "tests": tests,
    }
    if settings["leaderboard"]:
        found["leaderboard"] = [
            {"name": "Points", "value": score, "order": "desc"},
            {
                "name": "Tasks",
                "value": sum(test["status"] == "passed" for test in tests),
                "order": "desc",
            },
        ]
    return found


FIXED = (
    "time",
    "total",
    "memory",
    "output",
    "exit",
    "answers",
    "missing",
    "todo",
    "file",
    "none",
    "nan",
    "inf",
    "precision",
)
WORDS = {
    "shape": "The answer has another shape than the right one",
    "dtype": "The answer is of another type than the right one",
    "syntax": "The file is not Python yet",
    "import": "Reading the file stops with an exception",
    "exception": "It raises an exception",
    "number": "This number is not the answer",
}


def guarded_note(task: dict) -> str:
    """What a student is told where they may hand in again and again: no text that the submission
    could have chosen, since that could carry hidden inputs out."""
    if task["status"] == "passed" or task["hint"] or task["kind"] in FIXED:
        return reports.task_note(task)
    raised = re.search(r"raises (\w+)", task["message"])
    name = (
        f": {raised[1]}" if raised and isinstance(getattr(builtins, raised[1], None), type) else ""
    )
    words = WORDS.get(task["kind"], "The answer is wrong on some inputs")
    return reports.task_note(
        task
        | {"message": f"{words}{name}. minillm assignment check shows an input on which it fails."}
    )


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]).resolve()))
    except UserError as error:
        print(
            f"minillm: {error}"
        )  # seen by teachers only; without results.json, Gradescope says that the autograder failed
        sys.exit(1)
