"""What a student does with a handout: `minillm assignment check` and `minillm assignment
submit`.
"""

import ast
import contextlib
import hashlib
import json
import os
import secrets
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from minillm.assignments.assignment import Part, find_handout, read_assignment, rounded
from minillm.assignments.collecting import in_folder, read_files
from minillm.assignments.tables import one_line
from minillm.assignments.wheel import zipped
from minillm.course.checking import WHOLE_FILE, Checks, imports, judge_file
from minillm.course.lessons import find
from minillm.course.published import read_published
from minillm.errors import UserError, require
from minillm.files import write_json

NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
RUNNER = {  # what Classroom 50's runner says in its environment
    "classroom": "CLASSROOM", "assignment": "ASSIGNMENT", "assignment_type": "ASSIGNMENT_TYPE",
    "owner": "OWNER", "submission": "SUBMISSION_TAG", "commit": "COMMIT_URL",
    "release": "RELEASE_URL", "review": "REVIEW_URL"}


def check(folder, only: str | None = None, seed: int | None = None, as_json: bool = False,
          classroom50=None, say=print) -> int:
    """The public checks on every file of the handout, or on the one of `only` (LESSON or
    LESSON.TASK); 0 if all pass, 1 otherwise.

    classroom50: a file for what was found, in the form that Classroom 50 reads.
    """
    from minillm.course.report import show_report

    folder = find_handout(folder)
    assignment = read_assignment(folder)
    parts, wanted = _chosen(assignment, only)
    seed = secrets.randbelow(2**31) if seed is None else seed
    written = handed_in(folder, assignment)
    reports = {}
    for part in parts:
        report = reports[part.name] = judge(folder, assignment, part, written, seed)
        if not as_json:
            say(f"\n{part.file}")
            for note in not_there(written.files.get(part.file), part):
                say(f"  WARNING: {note}")
            say(f"  {one_line(report['refused'])}") if "refused" in report else show_report(report)
    status = {(name, task["name"]): task["status"]
              for name, report in reports.items() for task in report["tasks"]}
    points = {(part.name, task): n for part in parts for task, n in part.points.items()}
    passed = {task for task in wanted if status.get(task) == "passed"}
    earned, of = (rounded(sum(points[task] for task in some)) for some in (passed, wanted))
    if classroom50:
        write_json(Path(classroom50), classroom50_result(points, status))
    if as_json:
        say(json.dumps({"points": earned, "of": of, "hidden_checks_decide": True,
                        "parts": list(reports.values())}))
    else:
        waits = any(status.get(task) == "waits" for task in wanted)
        say(f"\n{earned:g} of {of:g} points by the public checks. The grade is decided by hidden "
            "checks: the same tasks on other inputs."
            + " What waits here is graded all the same: the reference stands in for what it "
              "waits for." * waits)
    return 0 if wanted == passed else 1


def _chosen(assignment, only: str | None) -> tuple[list[Part], set]:
    """(lessons, {(lesson, task)}) that --only means. Raises UserError."""
    lesson, _, task = (only or "").removesuffix(".py").partition(".")
    parts = [part for part in assignment.parts
             if lesson in ("", part.name, part.number, part.number.lstrip("0"), part.name[3:])]
    if not parts:
        raise UserError(f"--only {only}: this assignment has no such lesson; it has "
                        f"{', '.join(part.name for part in assignment.parts)}")
    if task and task not in parts[0].points:
        raise UserError(f"--only {only}: {parts[0].name} has no such task; it has "
                        f"{', '.join(parts[0].points)}")
    return parts, {(part.name, name) for part in parts for name in part.points
                   if task in ("", name)}


def classroom50_result(points: dict, status: dict) -> dict:
    """classroom50/result/v1 of {(lesson, task): points} and {(lesson, task): status}."""
    tests = [{"test-name": ".".join(task), "passed": status.get(task) == "passed",
              "score": rounded(n) if status.get(task) == "passed" else 0, "max-score": rounded(n)}
             for task, n in points.items()]
    return {"schema": "classroom50/result/v1",
            **{name: os.environ.get(where, "") for name, where in RUNNER.items()},
            "datetime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "score": rounded(sum(test["score"] for test in tests)),
            "max-score": rounded(sum(test["max-score"] for test in tests)), "tests": tests}


def judge(folder: Path, assignment, part: Part, written, seed: int) -> dict:
    """The report on one file, as `minillm lesson check` makes it, with the assignment's points."""
    report = {"lesson": part.name, "file": str(folder / part.file), "seed": seed, "tasks": [],
              "points": 0, "of": part.of, "printed": ""}
    if part.file not in written.files:
        return report | {"refused": f"{part.file}: {written.problems[part.file]}"}
    tasks, printed = judge_file(public_checks(folder, part), written.files[part.file], [seed],
                                assignment.limits)
    if tasks[0]["kind"] in WHOLE_FILE:
        return report | {"refused": f"{part.file}: {tasks[0]['message']}", "tasks": tasks}
    for task in tasks:
        points = rounded(part.points[task["name"]])
        task |= {"points": points, "earned": points if task["status"] == "passed" else 0}
    return report | {"tasks": tasks, "printed": printed,
                     "points": rounded(sum(task["earned"] for task in tasks))}


def public_checks(folder: Path, part: Part) -> Checks:
    """The handout's checks; where the course is installed with its solutions, prerequisites are
    lent from there.
    """
    path = folder / "checks" / part.name
    try:
        checks = read_published(path.read_bytes(), str(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    with contextlib.suppress(UserError, OSError):
        solution = find(part.name).folder / "solution.py"
        return replace(checks, reference=solution.read_text(encoding="utf-8"))
    return checks


def handed_in(folder: Path, assignment):
    """The files of the assignment as they lie in the handout's folder; a notebook counts where
    the .py file is still the stub.
    """
    found = [f for f in in_folder(folder) if len(f.parts) == 1]
    begun = {f.name for f in found if not _is_stub(f, assignment)}
    instead = {f"{part.name}.py" for part in assignment.parts
               if f"{part.name}.ipynb" in begun and part.file not in begun}
    return read_files([f for f in found if f.name not in instead], assignment.files)


def _is_stub(found, assignment) -> bool:
    """Is nothing of it written yet?"""
    part = next((part for part in assignment.parts
                 if found.name in (part.file, f"{part.name}.ipynb")), None)
    data = read_files([found], [part.file]).files.get(part.file, b"") if part else b""
    return part is not None and unwritten(data, part) == list(part.points)


def not_there(data: bytes | None, part: Part) -> list[str]:
    """What to say of the imports of a file that the grader has not; nothing where it is not
    Python yet.
    """
    lacking = []
    with contextlib.suppress(*NOT_PYTHON):
        lacking = sorted(imports(data or b"") - sys.stdlib_module_names - {*part.libraries})
    return [f"{part.file} imports {', '.join(lacking)}, which is not there when it is checked or "
            "graded: a task that uses it fails. There are Python's own library and "
            f"{', '.join(part.libraries)}"] if lacking else []


def unwritten(data: bytes, part: Part) -> list[str] | None:
    """The tasks that are still as the handout has them; None where it is not Python."""
    try:
        tree = ast.parse(data)
    except NOT_PYTHON:
        return None
    empty = {}  # by name; of two definitions the later counts
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            end = ast.unparse(node.body[-1])
            empty[node.name] = end.startswith("raise NotImplementedError")
        elif isinstance(node, ast.Assign):
            empty[ast.unparse(node.targets[0])] = ast.unparse(node.value) == "None"
    return [task for task in part.points if empty.get(task)]


def submit(folder, name: str, out=None, say=print) -> Path:
    """Make NAME.zip of the named files, and nothing else. Raises UserError."""
    folder = find_handout(folder)
    assignment = read_assignment(folder)
    require(0 < len(name) <= 60 and name[0].isalnum()
            and all(c.isalnum() or c in " ._-@+" for c in name),
            "--name", name, "letters, digits, spaces and . _ - @ +")
    written = handed_in(folder, assignment)
    if not written.files:
        why = "; ".join(f"{file}: {why}" for file, why in written.problems.items())
        raise UserError(f"{folder}: nothing to hand in ({why})")
    for note in written.notes:
        say(note)
    for part in assignment.parts:
        if part.file not in written.files:
            say(f"WARNING: {part.file}: {written.problems[part.file]}: it is not in the archive")
            continue
        for note in not_there(written.files[part.file], part):
            say(f"WARNING: {note}")
        if (empty := unwritten(written.files[part.file], part)) is None:
            say(f"WARNING: {part.file} is not Python yet: as it is, it earns nothing")
        elif empty:
            say(f"{part.file}: not written yet: {', '.join(empty)}")
    archive = Path(out) if out else folder / f"{name}.zip"
    archive.write_bytes(data := zipped(dict(sorted(written.files.items()))))
    say(f"{archive}: hand this in. It holds {', '.join(sorted(written.files))}; fingerprint "
        f"{hashlib.sha256(data).hexdigest()[:16]}")
    return archive
