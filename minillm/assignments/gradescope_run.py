"""What run_autograder starts on Gradescope: grades submission/ by the key in source/ and writes
results/results.json.

`python -m minillm.assignments.gradescope_run ROOT`, as root; ROOT is /autograder, or a folder
laid out like it. Fields: https://gradescope-autograders.readthedocs.io/en/latest/specs/ and
.../submission_metadata/.
"""

import builtins
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

from minillm.assignments import sandbox
from minillm.assignments.assignment import Assignment, after_lateness, days_late, read_assignment
from minillm.assignments.classroom import secrets_of, stubs_of
from minillm.assignments.collecting import in_folder, read_files
from minillm.assignments.grading import Grader
from minillm.assignments.records import Records
from minillm.assignments.reports import KINDS, task_note
from minillm.assignments.tables import one_line
from minillm.errors import UserError
from minillm.files import make_folder, read_json, write_json

# kinds whose message holds nothing that a submission could have chosen
FIXED = ("time", "total", "memory", "output", "exit", "answers", "missing", "todo", "file", "none",
         "nan", "inf", "precision")


def main(root: Path) -> int:
    began, key, about = time.monotonic(), root / "source" / "key", root / "submission_metadata.json"
    assignment, settings = read_assignment(key), read_json(root / "source" / "gradescope.json")
    metadata = read_json(about) if about.is_file() else {}
    way = sandbox.choose("auto", (*secrets_of(key), root / "submission", about),
                         may=("bubblewrap", "chroot"))
    submission = replace(read_files(in_folder(root / "submission"), assignment.files,
                                    stubs_of(key, assignment)), student=student_of(metadata))
    result = Grader(key, way).grade(submission) | {"notes": submission.notes}
    found = results(assignment, result, settings, lateness(assignment, metadata))
    found["extra_data"]["sandbox"] = way
    found["execution_time"] = round(time.monotonic() - began)
    write_json(make_folder(root / "results") / "results.json", found)
    points = Records().score(assignment, result)
    print(f"graded in sandbox {way}: {points.earned:g} of {assignment.of:g}")
    return 0


def _users(metadata: dict) -> list[dict]:
    return [user for user in metadata.get("users") or [] if isinstance(user, dict)]


def student_of(metadata: dict) -> str:
    """The student's address; of a group, all of them in order."""
    users = sorted(str(user.get("email") or user.get("id") or "") for user in _users(metadata))
    return ",".join(users) or "student"


def lateness(assignment: Assignment, metadata: dict) -> int:
    """Days late by Gradescope's own times: the student's due date (extensions are in it), else
    the assignment's, else the key's.
    """
    if not assignment.late:
        return 0
    about = [*(user.get("assignment") for user in _users(metadata)), metadata.get("assignment")]
    due = [found["due_date"] for found in about if found and found.get("due_date")]
    return days_late(replace(assignment, due=[*due, assignment.due][0]), metadata.get("created_at"))


def results(assignment: Assignment, result: dict, settings: dict, days: int) -> dict:
    """The object of results.json. Its texts hold no hidden input and no right answer."""
    tests, earned = [], Records().score(assignment, result)
    for part, found in zip(assignment.parts, result["parts"], strict=True):
        for number, task in enumerate(found["tasks"], 1):
            if task["status"] != "practice":
                tests.append({
                    "name": f"{part.name}: {task['name']}",
                    "number": f"{int(part.number)}.{number}",
                    "score": earned.tasks[part.name, task["name"]],
                    "max_score": part.points[task["name"]],
                    "status": "passed" if task["status"] == "passed" else "failed",
                    "output": one_line(guarded_note(task)) or "passed",
                    "tags": [part.name, task["hint"] or task["kind"]],
                    "visibility": settings["visibility"],
                    "extra_data": {"helped": task["helped"]}})
    score, said = after_lateness(assignment, earned.earned, days), ""
    if score != earned.earned:
        said = (f" {days} day{'s' * (days > 1)} late: {score:g} points are left of "
                f"{earned.earned:g}.")
    notes = "".join(f" {one_line(note)}." for note in result.get("notes", ()))
    found = {
        "score": score,
        "output": "Graded by hidden checks: the tasks of minillm assignment check, on other "
                  f"inputs.{said}{notes}",
        "output_format": "text", "test_output_format": "text", "test_name_format": "text",
        "visibility": settings["visibility"], "stdout_visibility": "hidden",
        "extra_data": {"days_late": days}, "tests": tests}
    if settings["leaderboard"]:
        passed = sum(test["status"] == "passed" for test in tests)
        found["leaderboard"] = [{"name": name, "value": value, "order": "desc"}
                                for name, value in (("Points", score), ("Tasks", passed))]
    return found


def guarded_note(task: dict) -> str:
    """What a student is told where they may hand in again and again: no text that the submission
    could have chosen, since that could carry hidden inputs out."""
    if task["status"] == "passed" or task["hint"] or task["kind"] in FIXED:
        return task_note(task)
    raised = re.search(r"raises (\w+)", task["message"])
    words = KINDS.get(task["kind"], "the answer is wrong on some inputs")
    if raised and isinstance(getattr(builtins, raised[1], None), type):
        words += f": {raised[1]}"
    return task_note(task | {"message": f"{words[0].upper()}{words[1:]}. minillm assignment check "
                                        "shows an input on which it fails."})


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]).resolve()))
    except UserError as error:  # for teachers: without results.json, the autograder has failed
        print(f"minillm: {error}")
        sys.exit(1)
