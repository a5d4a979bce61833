"""What a student does with a handout: `minillm assignment check` and `minillm assignment submit`."""

import ast
import hashlib
import json
import sys
import zipfile
from pathlib import Path

from minillm.assignments.assignment import Part, find_handout, read_assignment, rounded
from minillm.assignments.reference import libraries
from minillm.assignments.reports import plain
from minillm.assignments.submissions import read_file
from minillm.errors import UserError, require

FIXED = (2026, 1, 1, 0, 0, 0)            # the time of every file in an archive: the same work makes the same archive


def check(folder, only: str | None = None, seed: int | None = None, as_json: bool = False, say=print) -> int:
    """The public checks on every file of the handout, or on the one of `only` (LESSON or LESSON.TASK); 0 if all pass, 1 otherwise."""
    from minillm.course.checking import check as judge
    from minillm.course.report import show_report
    folder = find_handout(folder)
    assignment, reports = read_assignment(folder), []
    lesson, _, task_only = (only or "").removesuffix(".py").partition(".")
    parts = [part for part in assignment.parts if not lesson or lesson in (part.name, part.name[:2], part.name[:2].lstrip("0"), part.name[3:])]
    if not parts:
        raise UserError(f"--only {only}: this assignment has no such lesson; it has {', '.join(part.name for part in assignment.parts)}")
    if task_only and task_only not in parts[0].points:
        raise UserError(f"--only {only}: {parts[0].name} has no such task; it has {', '.join(parts[0].points)}")
    for part in parts:
        if not as_json:
            say(f"\n{part.file}")
            if lacking := not_there(folder / part.file, part.libraries):
                say(f"  WARNING: imports {', '.join(lacking)}, which is not there when it is graded: there are Python's own library and {', '.join(part.libraries)}")
        try:
            report = with_points(judge(folder / "checks" / part.name, folder / part.file, seed), part)
        except UserError as error:                                    # not Python yet, or not there: the other files still count
            report = {"lesson": part.name, "refused": str(error), "tasks": [], "points": 0, "of": 0}
        reports.append(report)
        if not as_json:
            say(f"  {plain(report['refused'])}") if "refused" in report else show_report(report)
    passed = {(part.name, task["name"]) for part, report in zip(parts, reports) for task in report["tasks"] if task["status"] == "passed"}
    wanted = {(part.name, task) for part in parts for task in part.points if not task_only or task == task_only}
    points, of = (rounded(sum(part.points[task] for part in parts for task in part.points if (part.name, task) in some)) for some in (passed & wanted, wanted))
    if as_json:
        say(json.dumps({"points": points, "of": of, "hidden_checks_decide": True, "parts": reports}))
    else:
        waits = any(task["status"] == "waits" and (part.name, task["name"]) in wanted for part, report in zip(parts, reports) for task in report["tasks"])
        say(f"\n{points:g} of {of:g} points by the public checks. The grade is decided by hidden checks: the same tasks on other inputs."
            + (" What waits here is graded all the same: the reference stands in for what it waits for." if waits else ""))
    return 0 if wanted <= passed else 1


def with_points(report: dict, part: Part) -> dict:
    """A report with the points of this assignment, which need not be the lesson's."""
    tasks = [task | {"points": part.points[task["name"]], "earned": part.points[task["name"]] if task["status"] == "passed" else 0} for task in report["tasks"]]
    return report | {"tasks": tasks, "points": rounded(sum(task["earned"] for task in tasks)), "of": rounded(sum(task["points"] for task in tasks))}


def not_there(path: Path, libraries_of_grader: list[str]) -> list[str]:
    """What a file imports that the grader has not; nothing where it is not Python yet."""
    try:
        return sorted(libraries(path.read_bytes()) - sys.stdlib_module_names - {*libraries_of_grader})
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def unwritten(tree: ast.Module, tasks) -> list[str]:
    """The tasks that are still as the handout has them."""
    left = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and isinstance(node.body[-1], ast.Raise)
            and ast.unparse(node.body[-1]).startswith("raise NotImplementedError")}
    left |= {ast.unparse(node.targets[0]) for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value is None}
    return [task for task in tasks if task in left]


def submit(folder, name: str, out=None, say=print) -> Path:
    """Make NAME.zip of the named files, and nothing else. Raises UserError."""
    folder = find_handout(folder)
    assignment = read_assignment(folder)
    require(0 < len(name) <= 60 and all(c.isalnum() or c in " ._-@+" for c in name) and name[0].isalnum(), "--name", name, "letters, digits, spaces and . _ - @ +")
    files, lacking = {}, []
    for file in assignment.files:
        data, problem = read_file(folder / file)
        if data is None:
            lacking.append(f"{file}: {problem}")
            continue
        files[file] = data
        part = next(part for part in assignment.parts if part.file == file)
        if missing := not_there(folder / file, part.libraries):
            say(f"WARNING: {file} imports {', '.join(missing)}, which is not there when it is graded: there are Python's own library and {', '.join(part.libraries)}")
        try:
            if empty := unwritten(ast.parse(data, file), part.points):
                say(f"{file}: not written yet: {', '.join(empty)}")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            say(f"WARNING: {file} is not Python yet ({plain(error)}): as it is, it earns nothing")
    if not files:
        raise UserError(f"{folder}: nothing to hand in ({'; '.join(lacking)})")
    for text in lacking:
        say(f"WARNING: {text}: it is not in the archive")
    archive = Path(out) if out else folder / f"{name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for file, data in files.items():
            member = zipfile.ZipInfo(file, FIXED)
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
            made.writestr(member, data)
    say(f"{archive}: hand this in. It holds {', '.join(files)}; fingerprint {hashlib.sha256(archive.read_bytes()).hexdigest()[:16]}")
    return archive
