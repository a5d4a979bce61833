"""`minillm assignment gradescope`: the autograder archive for Gradescope, and beside it public
checks for GitHub and Classroom 50.

The archive follows https://gradescope-autograders.readthedocs.io/en/latest/specs/: setup.sh and
run_autograder at its top, unpacked into /autograder/source; it also holds the key and minillm
itself, which run_autograder closes to the user that runs submissions. tests.json follows
classroom50/tests/v1. Those checks run in the students' own repositories, where whoever writes the
code can also change what is checked: they are for feedback. Grades come from `minillm assignment
grade` on what was collected, or from Gradescope.
"""

import importlib.metadata
import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import minillm
from minillm.assignments.assignment import Assignment, find_key, read_assignment
from minillm.assignments.wheel import pip_install
from minillm.errors import UserError, require
from minillm.files import make_folder

PACKAGE = Path(minillm.__file__).parent
ABOVE = (
    "numpy",
    "jax",
    "jaxlib",
    "ml_dtypes",
    "scipy",
    "tokenizers",
    "safetensors",
    "rich",
    "matplotlib",
    "jinja2",
    "psutil",
    "pyseccomp",
)
SETUP = """#!/usr/bin/env bash
# Made by minillm: installs what grading needs. Gradescope runs it once, as root, when the autograder is uploaded.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(dirname "$here")"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends python3 python3-venv ca-certificates
apt-get install -y -qq --no-install-recommends libseccomp2
apt-get install -y -qq --no-install-recommends bubblewrap || echo "no bubblewrap: submissions will run as another user"
enough() { command -v "$1" > /dev/null && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; }
python=python3
enough "$python" || for version in 3.13 3.12 3.11; do
  python="python$version"
  apt-get install -y -qq --no-install-recommends "$python" "$python-venv" && enough "$python" && break
done
enough "$python" || { echo "minillm needs Python 3.11 or later: choose a newer base image"; exit 1; }
"$python" -m venv "$root/venv"
"$root/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir -r "$here/requirements.txt"
chmod -R a+rX "$root/venv"
chmod -R go-rwx "$here"
"""
RUN = """#!/usr/bin/env bash
# Made by minillm: grades the one submission in submission/ and writes results/results.json. Run as root.
set -u
root="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
umask 077
mkdir -p "$root/results"
chmod -R go-rwx "$root/source" "$root/submission" "$root/results" "$root/submission_metadata.json" 2> /dev/null
cd "$root/source" || exit 1
PYTHONPATH="$root/source" PYTHONDONTWRITEBYTECODE=1 exec "$root/venv/bin/python" -m minillm.assignments.gradescope_run "$root"
"""
WORKFLOW = """# Made by minillm: runs the public checks on every push. Put it into .github/workflows/ of the repository that students get,
# with the files of the handout at its top. Hidden checks decide the grade: the teacher runs them on what was collected.
name: public checks
on: [push]
permissions:
  contents: read
jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 20
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: |
          {install}
      - run: minillm assignment check .
"""
AUTOGRADER = """# Made by minillm: autograder.py of one assignment in Classroom 50. Runs the public checks and writes result.json.
import subprocess
import sys

subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", {install!r}], check=True)
subprocess.run([sys.executable, "-m", "minillm", "assignment", "check", ".", "--classroom50", "result.json"])
"""


def write(
    folder,
    visibility: str = "visible",
    leaderboard: bool = False,
    install: str | None = None,
    say=print,
) -> Path:
    """Write gradescope.zip, github/check.yml and classroom50/tests.json into the folder of an
    assignment. Raises UserError.

    install: what pip installs in the two workflows (default: what the handout says).
    """
    key = find_key(folder)
    if key == Path(folder):
        raise UserError(
            f"{folder}: is the key itself, to which nothing may be added: name the folder that "
            "has it as key/, where gradescope.zip is to lie"
        )
    assignment = read_assignment(key)
    if not (install := install or assignment.install):
        raise UserError(
            f"{key}: an older minillm made it, which did not note what students install: name it "
            "with --install"
        )
    require(
        not leaderboard or visibility == "visible",
        "--leaderboard",
        "--visibility " + visibility,
        "used with --visibility visible alone: the board shows points at once",
    )
    pip = pip_install(install)
    archive = Path(folder) / "gradescope.zip"
    settings = {"visibility": visibility, "leaderboard": leaderboard}
    files = {
        "setup.sh": SETUP.encode(),
        "run_autograder": RUN.encode(),
        "requirements.txt": requirements(key).encode(),
        "gradescope.json": json.dumps(settings).encode(),
    }
    files |= {
        f"key/{path.relative_to(key).as_posix()}": path.read_bytes()
        for path in sorted(key.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    files |= {
        f"minillm/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes()
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in (".py", ".json", ".html")
        and "__pycache__" not in path.parts
        and "_lessons" not in path.parts
    }
    part = archive.with_name("gradescope.zip.part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            member = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = (
                stat.S_IFREG | (0o755 if name in ("setup.sh", "run_autograder") else 0o644)
            ) << 16
            made.writestr(member, data)
    os.replace(part, archive)
    archive.chmod(0o600)  # it holds the key
    workflow = make_folder(Path(folder) / "github") / "check.yml"
    workflow.write_text(WORKFLOW.format(install=pip), encoding="utf-8")
    tests = make_folder(Path(folder) / "classroom50") / "tests.json"
    tests.write_text(json.dumps(classroom50(assignment, pip), indent=2) + "\n", encoding="utf-8")
    autograder = tests.with_name("autograder.py")
    autograder.write_text(AUTOGRADER.format(install=install), encoding="utf-8")
    say(
        f"{archive}: upload it as the autograder; it holds the key, so show it to "
        f"nobody\n{workflow}: public checks for .github/workflows\n"
        f"{tests}: public checks for Classroom 50; {autograder.name} beside it does the same in "
        "one run"
    )
    return archive


def requirements(key: Path) -> str:
    """The versions here of all libraries that grading the reference imports. Raises UserError."""
    code = (
        "import sys, pathlib; from minillm.assignments.grading import Grader; from "
        "minillm.assignments import gradescope_run\n"
        "from minillm.assignments.collecting import Submission; k = pathlib.Path(sys.argv[1]); g "
        "= Grader(k, 'none')\n"
        "files = {p.file: (k / 'lessons' / p.name / 'solution.py').read_bytes() for p in "
        "g.assignment.parts}\n"
        "r = g.grade(Submission('x', files, {}))\n"
        "assert all(t['status'] in ('passed', 'practice') for p in r['parts'] for t in "
        "p['tasks']), r\n"
        "print(' '.join({m.partition('.')[0] for m in sys.modules}))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(key)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")])
            )
        },
    )
    if ended.returncode:
        raise UserError(f"{key}: the reference does not get all points here: {ended.stderr[-300:]}")
    imported = set(ended.stdout.split()) | {"numpy", "pyseccomp"}
    return "".join(
        f"{name}=={importlib.metadata.version(name)}\n" for name in ABOVE if name in imported
    )


def classroom50(assignment: Assignment, pip: str) -> dict:
    """The public checks as declarative tests, one for each task; points are whole numbers there,
    so fractions are multiplied away.
    """
    fractions = any(
        points != int(points) for part in assignment.parts for points in part.points.values()
    )
    tests = [
        {
            "name": f"{part.name}.{task}",
            "type": "run",
            "setup": pip,
            "run": f"minillm assignment check . --only {part.name}.{task}",
            "timeout": 120,
            "points": round(points * (100 if fractions else 1)),
        }
        for part in assignment.parts
        for task, points in part.points.items()
    ]
    if len(tests) > 100:
        raise UserError(
            f"Classroom 50 takes 100 tests; this assignment has {len(tests)} tasks: make two of it"
        )
    return {"schema": "classroom50/tests/v1", "tests": tests}
