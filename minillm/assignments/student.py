"""What a student does with a handout: `minillm assignment check` and `minillm assignment
submit`.
"""

import ast
import contextlib
import hashlib
import json
import os
import secrets
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from minillm.assignments.assignment import Part, find_handout, read_assignment, rounded
from minillm.assignments.collecting import in_folder, read_files
from minillm.assignments.reports import one_line
from minillm.course.checking import WHOLE_FILE, Checks, imports, judge_file
from minillm.course.lessons import find
from minillm.course.published import read_published
from minillm.errors import UserError, require
from minillm.files import write_json

FIXED = (
    2026,
    1,
    1,
    0,
    0,
    0,
)  # the time of every file in an archive: the same work makes the same archive


def check(
    folder,
    only: str | None = None,
    seed: int | None = None,
    as_json: bool = False,
    classroom50=None,
    say=print,
) -> int:
    """The public checks on every file of the handout, or on the one of `only` (LESSON or
    LESSON.TASK); 0 if all pass, 1 otherwise.

    classroom50: a file for what was found, in the form that Classroom 50 reads.
    """
    from minillm.course.report import show_report

    folder = find_handout(folder)
    assignment, reports = read_assignment(folder), []
    lesson, _, task_only = (only or "").removesuffix(".py").partition(".")
    parts = [
        part
        for part in assignment.parts
        if not lesson
        or lesson in (part.name, part.name[:2], part.name[:2].lstrip("0"), part.name[3:])
    ]
    if not parts:
        raise UserError(
            f"--only {only}: this assignment has no such lesson; it has "
            f"{', '.join(part.name for part in assignment.parts)}"
        )
    if task_only and task_only not in parts[0].points:
        raise UserError(
            f"--only {only}: {parts[0].name} has no such task; it has {', '.join(parts[0].points)}"
        )
    seed = secrets.randbelow(2**31) if seed is None else seed
    written = handed_in(folder, assignment)
    for part in parts:
        report = judge(folder, assignment, part, written, seed)
        reports.append(report)
        if not as_json:
            say(f"\n{part.file}")
            for note in not_there(written.files.get(part.file), part):
                say(f"  WARNING: {note}")
            say(f"  {one_line(report['refused'])}") if "refused" in report else show_report(report)
    passed = {
        (part.name, task["name"])
        for part, report in zip(parts, reports)
        for task in report["tasks"]
        if task["status"] == "passed"
    }
    wanted = {
        (part.name, task)
        for part in parts
        for task in part.points
        if not task_only or task == task_only
    }
    points, of = (
        rounded(
            sum(
                part.points[task]
                for part in parts
                for task in part.points
                if (part.name, task) in some
            )
        )
        for some in (passed & wanted, wanted)
    )
    if classroom50:
        write_json(Path(classroom50), classroom50_result(parts, reports))
    if as_json:
        say(
            json.dumps({"points": points, "of": of, "hidden_checks_decide": True, "parts": reports})
        )
    else:
        waits = any(
            task["status"] == "waits" and (part.name, task["name"]) in wanted
            for part, report in zip(parts, reports)
            for task in report["tasks"]
        )
        say(
            f"\n{points:g} of {of:g} points by the public checks. The grade is decided by hidden "
            "checks: the same tasks on other inputs."
            + (
                " What waits here is graded all the same: the reference stands in for what it "
                "waits for."
                if waits
                else ""
            )
        )
    return 0 if wanted <= passed else 1


def classroom50_result(parts, reports) -> dict:
    """classroom50/result/v1; what it says of the repository comes from the environment of its
    runner.
    """
    about = {
        "classroom": "CLASSROOM",
        "assignment": "ASSIGNMENT",
        "assignment_type": "ASSIGNMENT_TYPE",
        "owner": "OWNER",
        "submission": "SUBMISSION_TAG",
        "commit": "COMMIT_URL",
        "release": "RELEASE_URL",
        "review": "REVIEW_URL",
    }
    tests = [
        {
            "test-name": f"{part.name}.{name}",
            "passed": name in passed,
            "score": rounded(n) if name in passed else 0,
            "max-score": rounded(n),
        }
        for part, report in zip(parts, reports)
        for passed in [{task["name"] for task in report["tasks"] if task["status"] == "passed"}]
        for name, n in part.points.items()
    ]
    return (
        {"schema": "classroom50/result/v1"}
        | {name: os.environ.get(where, "") for name, where in about.items()}
        | {
            "datetime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "score": rounded(sum(test["score"] for test in tests)),
            "max-score": rounded(sum(test["max-score"] for test in tests)),
            "tests": tests,
        }
    )


def judge(folder: Path, assignment, part: Part, written, seed: int) -> dict:
    """The report on one file, as `minillm lesson check` makes it, with the assignment's points."""
    report = {
        "lesson": part.name,
        "file": str(folder / part.file),
        "seed": seed,
        "tasks": [],
        "points": 0,
        "of": part.of,
        "printed": "",
    }
    if part.file not in written.files:
        return report | {"refused": f"{part.file}: {written.problems[part.file]}"}
    tasks, printed = judge_file(
        public_checks(folder, part), written.files[part.file], [seed], assignment.limits
    )
    if tasks[0]["kind"] in WHOLE_FILE:
        return report | {"refused": f"{part.file}: {tasks[0]['message']}", "tasks": tasks}
    points = {name: rounded(n) for name, n in part.points.items()}
    tasks = [
        task
        | {
            "points": points[task["name"]],
            "earned": points[task["name"]] if task["status"] == "passed" else 0,
        }
        for task in tasks
    ]
    return report | {
        "tasks": tasks,
        "printed": printed,
        "points": rounded(sum(task["earned"] for task in tasks)),
    }


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
        return replace(
            checks, reference=(find(part.name).folder / "solution.py").read_text(encoding="utf-8")
        )
    return checks


def handed_in(folder: Path, assignment):
    """The files of the assignment as they lie in the handout's folder; a notebook counts where
    the .py file is still the stub.
    """
    found = [f for f in in_folder(folder) if len(f.parts) == 1]
    stubs = {f.name for f in found if f.name in assignment.files and _is_stub(f, assignment)}
    notebooks = {
        f.name.removesuffix(".ipynb") + ".py"
        for f in found
        if f.name.endswith(".ipynb") and not _is_stub(f, assignment)
    }
    return read_files(
        [f for f in found if f.name not in stubs & notebooks], assignment.files, "you"
    )


def _is_stub(found, assignment) -> bool:
    """Is nothing of it written yet?"""
    name = found.name.rpartition(".")[0] + ".py"
    part = next((part for part in assignment.parts if part.file == name), None)
    data = read_files([found], [name], "").files.get(name, b"")
    try:
        return part is not None and len(unwritten(ast.parse(data), part.points)) == len(part.points)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def not_there(data: bytes | None, part: Part) -> list[str]:
    """What to say of the imports of a file that the grader has not; nothing where it is not
    Python yet.
    """
    import sys

    try:
        lacking = sorted(imports(data or b"") - sys.stdlib_module_names - {*part.libraries})
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return (
        [
            f"{part.file} imports {', '.join(lacking)}, which is not there when it is checked or "
            "graded: a task that uses it fails. "
            f"There are Python's own library and {', '.join(part.libraries)}"
        ]
        if lacking
        else []
    )


def unwritten(tree: ast.Module, tasks) -> list[str]:
    """The tasks that are still as the handout has them."""
    left = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and isinstance(node.body[-1], ast.Raise)
        and ast.unparse(node.body[-1]).startswith("raise NotImplementedError")
    }
    left |= {
        ast.unparse(node.targets[0])
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and node.value.value is None
    }
    return [task for task in tasks if task in left]


def submit(folder, name: str, out=None, say=print) -> Path:
    """Make NAME.zip of the named files, and nothing else. Raises UserError."""
    folder = find_handout(folder)
    assignment = read_assignment(folder)
    require(
        0 < len(name) <= 60
        and all(c.isalnum() or c in " ._-@+" for c in name)
        and name[0].isalnum(),
        "--name",
        name,
        "letters, digits, spaces and . _ - @ +",
    )
    written = handed_in(folder, assignment)
    if not written.files:
        raise UserError(
            f"{folder}: nothing to hand in "
            f"({'; '.join(f'{file}: {why}' for file, why in written.problems.items())})"
        )
    for note in written.notes:
        say(note)
    for part in assignment.parts:
        if part.file not in written.files:
            say(f"WARNING: {part.file}: {written.problems[part.file]}: it is not in the archive")
            continue
        for note in not_there(written.files[part.file], part):
            say(f"WARNING: {note}")
        try:
            if empty := unwritten(ast.parse(written.files[part.file], part.file), part.points):
                say(f"{part.file}: not written yet: {', '.join(empty)}")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            say(
                f"WARNING: {part.file} is not Python yet ({one_line(error)}): as it is, it earns "
                "nothing"
            )
    archive = Path(out) if out else folder / f"{name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for file, data in sorted(written.files.items()):
            member = zipfile.ZipInfo(file, FIXED)
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
            made.writestr(member, data)
    say(
        f"{archive}: hand this in. It holds {', '.join(sorted(written.files))}; fingerprint "
        f"{hashlib.sha256(archive.read_bytes()).hexdigest()[:16]}"
    )
    return archive
