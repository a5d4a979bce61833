"""`minillm assignment gradescope`: the autograder archive for Gradescope, and beside it public
checks for GitHub and Classroom 50; their scripts are in templates/.

The archive follows https://gradescope-autograders.readthedocs.io/en/latest/specs/: setup.sh and
run_autograder at its top, unpacked into /autograder/source; it also holds the key and minillm
itself, which run_autograder closes to the user that runs submissions. tests.json follows
classroom50/tests/v1. Those checks run in the students' own repositories, where whoever writes the
code can also change what is checked: they are for feedback. Grades come from `minillm assignment
grade` on what was collected, or from Gradescope.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from minillm.assignments.assignment import Assignment, find_key, read_assignment
from minillm.assignments.reports import template
from minillm.assignments.wheel import pip_install, tree, zipped
from minillm.course.lessons import PACKAGE
from minillm.errors import UserError, require
from minillm.files import make_folder, replacing

PROGRAMS = ("setup.sh", "run_autograder")
MOST = 100  # tests that Classroom 50 takes
GRADES_ITSELF = """
import importlib.metadata, pathlib, sys
from minillm.assignments import gradescope_run
from minillm.assignments.collecting import Submission
from minillm.assignments.grading import Grader
key = pathlib.Path(sys.argv[1])
grader = Grader(key, "none")
files = {part.file: (key / "lessons" / part.name / "solution.py").read_bytes()
         for part in grader.assignment.parts}
tasks = [t for part in grader.grade(Submission("x", files, {}))["parts"] for t in part["tasks"]]
assert all(task["status"] in ("passed", "practice") for task in tasks), tasks
used = {name.partition(".")[0] for name in [*sys.modules]}
owners = importlib.metadata.packages_distributions()
found = {owner for name in used - {"minillm"} for owner in owners.get(name, ())}
for name in sorted({"numpy"} | found):
    print(f"{name}=={importlib.metadata.version(name)}")
"""


def write(folder, visibility: str = "visible", leaderboard: bool = False,
          install: str | None = None, say=print) -> Path:
    """Write gradescope.zip, github/check.yml and classroom50/tests.json into the folder of an
    assignment. Raises UserError.

    install: what pip installs in the two workflows (default: what the handout says).
    """
    key, folder = find_key(folder), Path(folder)
    if key == folder:
        raise UserError(f"{folder}: is the key itself, to which nothing may be added: name the "
                        "folder that has it as key/, where gradescope.zip is to lie")
    assignment = read_assignment(key)
    if not (install := install or assignment.install):
        raise UserError(f"{key}: an older minillm made it, which did not note what students "
                        "install: name it with --install")
    require(not leaderboard or visibility == "visible", "--leaderboard",
            f"--visibility {visibility}",
            "used with --visibility visible alone: the board shows points at once")
    pip = pip_install(install)
    settings = {"visibility": visibility, "leaderboard": leaderboard}
    files = {name: template(name).render().encode() for name in PROGRAMS}
    files |= {"requirements.txt": requirements(key).encode(),
              "gradescope.json": json.dumps(settings).encode()}
    files |= {f"key/{path.relative_to(key).as_posix()}": path.read_bytes()
              for path in sorted(key.rglob("*"))
              if path.is_file() and "__pycache__" not in path.parts}
    files |= {f"minillm/{name}": data for name, data in tree(PACKAGE).items()
              if not name.startswith("_lessons/")}
    archive = folder / "gradescope.zip"
    with replacing(archive) as beside:
        beside.touch(0o600)  # it holds the key
        beside.write_bytes(zipped(files, PROGRAMS))
    workflow = make_folder(folder / "github") / "check.yml"
    workflow.write_text(template("check.yml").render(install=pip), encoding="utf-8")
    tests = make_folder(folder / "classroom50") / "tests.json"
    tests.write_text(json.dumps(classroom50(assignment, pip), indent=2) + "\n", encoding="utf-8")
    autograder = tests.with_name("autograder.py")
    autograder.write_text(template("autograder.txt").render(install=repr(install)),
                          encoding="utf-8")
    say(f"{archive}: upload it as the autograder; it holds the key, so show it to nobody\n"
        f"{workflow}: public checks for .github/workflows\n"
        f"{tests}: public checks for Classroom 50; {autograder.name} beside it does the same in "
        "one run")
    return archive


def requirements(key: Path) -> str:
    """The versions here of all libraries that grading the reference imports. Raises UserError."""
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    ended = subprocess.run(
        [sys.executable, "-c", GRADES_ITSELF, str(key)], env=os.environ | {"PYTHONPATH": path},
        capture_output=True, encoding="utf-8", errors="replace")
    if ended.returncode:
        raise UserError(f"{key}: the reference does not get all points here: {ended.stderr[-300:]}")
    return ended.stdout + "pyseccomp\n" * ("pyseccomp==" not in ended.stdout)


def classroom50(assignment: Assignment, pip: str) -> dict:
    """The public checks as declarative tests, one for each task; points are whole numbers there,
    so fractions are multiplied away.
    """
    tasks = {f"{part.name}.{task}": points
             for part in assignment.parts for task, points in part.points.items()}
    if len(tasks) > MOST:
        raise UserError(f"Classroom 50 takes {MOST} tests; this assignment has {len(tasks)} tasks: "
                        "make two of it")
    times = 100 if any(points != int(points) for points in tasks.values()) else 1
    return {"schema": "classroom50/tests/v1", "tests": [
        {"name": name, "type": "run", "setup": pip, "timeout": 120, "points": round(points * times),
         "run": f"minillm assignment check . --only {name}"} for name, points in tasks.items()]}
