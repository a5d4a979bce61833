"""What run_autograder starts on Gradescope: grades submission/ by the key in source/ and writes results/results.json.

`python -m minillm.assignments.gradescope_run ROOT`, as root; ROOT is /autograder, or a folder laid out like it.
Fields: https://gradescope-autograders.readthedocs.io/en/latest/specs/ and .../submission_metadata/.
"""

import dataclasses
import sys
import time
from pathlib import Path

from minillm.assignments import reports, sandbox
from minillm.assignments.assignment import Assignment, after_lateness, days_late, read_assignment
from minillm.assignments.classroom import Worker, secrets_of
from minillm.assignments.submissions import Submission, read_folder
from minillm.errors import UserError
from minillm.files import make_folder, read_json, write_json


def main(root: Path) -> int:
    began = time.monotonic()
    source = root / "source"
    assignment, settings = read_assignment(source / "key"), read_json(source / "gradescope.json")
    metadata = read_json(root / "submission_metadata.json") if (root / "submission_metadata.json").is_file() else {}
    way = sandbox.choose("auto", secrets_of(source / "key"))
    files, problems = read_folder(root / "submission", assignment.files)
    with Worker(source / "key", way) as worker:
        result = worker.grade(Submission(student_of(metadata), files, problems))
    days = lateness(assignment, metadata)
    make_folder(root / "results")
    write_json(root / "results" / "results.json", results(assignment, result, settings, way, days, time.monotonic() - began))
    print(f"graded in sandbox {way}: {result['earned']:g} of {result['of']:g}")
    return 0


def student_of(metadata: dict) -> str:
    """The student's address; of a group, all of them in order."""
    users = metadata.get("users") or []
    return ",".join(sorted(str(user.get("email") or user.get("id") or "") for user in users if isinstance(user, dict))) or "student"


def lateness(assignment: Assignment, metadata: dict) -> int:
    """Days late by Gradescope's own times: the student's due date (extensions are in it), else the assignment's, else the key's."""
    if not assignment.late or not metadata.get("created_at"):
        return 0
    of_user = [(user.get("assignment") or {}).get("due_date") for user in metadata.get("users") or [] if isinstance(user, dict)]
    due = next(filter(None, [*of_user, (metadata.get("assignment") or {}).get("due_date"), assignment.due]), None)
    return days_late(dataclasses.replace(assignment, due=due), metadata["created_at"])


def results(assignment: Assignment, result: dict, settings: dict, way: str, days: int, seconds: float) -> dict:
    """The object of results.json. Its texts hold no hidden input and no right answer."""
    tests = []
    for part in result["parts"]:
        for number, task in enumerate(part["tasks"], 1):
            if task["status"] == "practice":
                continue
            tests.append({"score": task["earned"], "max_score": task["points"], "status": "passed" if task["status"] == "passed" else "failed",
                          "name": f"{part['name']}: {task['name']}", "name_format": "text", "number": f"{int(part['name'][:2])}.{number}",
                          "output": reports.plain(reports.task_note(task)) or "passed", "output_format": "text",
                          "tags": [part["name"], task["hint"] or task["kind"]], "visibility": settings["visibility"], "extra_data": {"helped": task["helped"]}})
    score = after_lateness(assignment, result["earned"], days)
    late = f" {days} day{'s' if days > 1 else ''} late: {score:g} points are left of {result['earned']:g}." if score != result["earned"] else ""
    found = {"score": score, "execution_time": round(seconds), "output": f"Graded by hidden checks: the tasks of minillm assignment check, on other inputs.{late}",
             "output_format": "text", "test_output_format": "text", "test_name_format": "text", "visibility": settings["visibility"], "stdout_visibility": "hidden",
             "extra_data": {"sandbox": way, "days_late": days}, "tests": tests}
    if settings["leaderboard"]:
        found["leaderboard"] = [{"name": "Points", "value": score, "order": "desc"},
                                {"name": "Tasks", "value": sum(test["status"] == "passed" for test in tests), "order": "desc"}]
    return found


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]).resolve()))
    except UserError as error:
        print(f"minillm: {error}")                       # seen by teachers only; without results.json, Gradescope says that the autograder failed
        sys.exit(1)
