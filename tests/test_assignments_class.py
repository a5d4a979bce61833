"""Promise: a class is graded as its files deserve, twice alike, and a grader that is killed goes
on where it was.
"""

import ast
import io
import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
import zipfile
from pathlib import Path

import pytest
from helpers import answers, hint_of

import minillm
from minillm.assignments import classroom, sandbox
from minillm.assignments.assignment import read_assignment
from minillm.assignments.making import make
from minillm.course.lessons import all_lessons

WAY = "none" if sandbox.works("bubblewrap") else "bubblewrap"
TABLES = ("grades.csv", "class.txt", "class.html")
LESSONS = {lesson.number: lesson.folder for lesson in all_lessons()}
CODE = {(folder.name, name): code for folder in LESSONS.values()
        for name, code in answers(folder).items()}


def hand_in(place: Path, numbers, size: int, first: int = 0) -> dict:
    """A class of `size`: student i hands in, for every lesson, the i-th of all its mistakes and
    alternatives; {student: {lesson: "mistakes/NAME"}}.
    """
    chosen = {}
    for i in range(first, first + size):
        folder = place / f"student {i:02d}"
        folder.mkdir(parents=True)
        for number in numbers:
            lesson = LESSONS[number]
            choice = list(answers(lesson).items())
            chosen.setdefault(folder.name, {})[lesson.name], code = choice[i % len(choice)]
            (folder / f"{lesson.name}.py").write_text(
                (lesson / "solution.py").read_text(encoding="utf-8") + "\n\n" + code,
                encoding="utf-8",
            )
    return chosen


def made_in(code: str) -> set[str]:
    """The names that code defines."""
    return {
        getattr(node, "name", None) or ast.unparse(node.targets[0])
        for node in ast.parse(code).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Assign))
    }


def expect(results, chosen):
    """An alternative passes everything; a mistake loses one task, is told its own hint, and
    everything else stands.
    """
    for result in results:
        for part in result["parts"]:
            name = chosen[result["student"]][part["name"]]
            practice = {task["name"] for task in part["tasks"] if task["status"] == "practice"}
            wrong = [task for task in part["tasks"] if task["status"] not in ("passed", "practice")]
            said = (
                result["student"],
                part["name"],
                name,
                [(task["name"], task["kind"], task["message"], task["example"]) for task in wrong],
            )
            if name.startswith("alternatives/") or made_in(CODE[part["name"], name]) & practice:
                assert not wrong, said
            else:
                assert [task["hint"] for task in wrong] == [hint_of(name)], said


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    place = tmp_path_factory.mktemp("class")
    make("02", place / "hw", say=lambda text: None, way=WAY)
    chosen = hand_in(place / "submissions", ["02"], 6, first=9)
    return (
        place,
        chosen,
        classroom.grade(
            place / "submissions", place / "hw", place / "first", WAY, say=lambda text: None
        ),
    )


def test_a_small_class_gets_what_it_deserves(small):
    place, chosen, results = small
    expect(results, chosen)


def run_grader(place, out, **more):
    environment = os.environ | {
        "PYTHONPATH": str(Path(minillm.__file__).parents[1]),
        "TMPDIR": str(place),
    }  # sandboxes are made in there
    submissions = next(place / name for name in ("submissions", "submissions.zip")
                       if (place / name).exists())
    command = ["-m", "minillm", "assignment", "grade", str(submissions), "--key",
               str(place / "hw"), "--out", str(out), "--sandbox", WAY, "--jobs", "2"]
    return subprocess.Popen([sys.executable, *command], env=environment,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)


def of_this_class(place) -> list[str]:
    """Command lines of the processes that grade the class in `place`, on Linux."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if (
                f"TMPDIR={place}".encode() in (path / "environ").read_bytes()
                or f"{place}/minillm-box-" in line
            ):
                found.append(line)
        except OSError:
            pass
    return found


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kill -9 is of Unix")
def test_killed_in_the_middle_it_goes_on_and_all_is_as_without(small, tmp_path):
    place, chosen, once = small
    grader = run_grader(place, tmp_path, start_new_session=True)
    while grader.poll() is None and len(list(tmp_path.glob("results/*.json"))) < 3:
        time.sleep(0.02)
    grader.kill()  # the one process alone: all others must end by themselves
    grader.communicate()
    ends = time.monotonic() + 30
    while (left := of_this_class(place)) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not left, "workers and sandboxes end with the grader"
    finished = {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/*.json")}
    assert 3 <= len(finished)
    for path in finished:
        json.loads(path.read_text(encoding="utf-8"))
    again = run_grader(place, tmp_path)
    assert again.wait() == 0, again.stderr.read()
    again.stderr.close()
    results = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(tmp_path.glob("results/*.json"))
    ]
    assert {result["student"] for result in results} == chosen.keys()
    assert all(path.stat().st_mtime_ns == at for path, at in finished.items()), (
        "what was finished is not graded again"
    )
    expect(results, chosen)
    assert [r["parts"] for r in once] == [r["parts"] for r in results]
    for name in TABLES:
        assert (tmp_path / name).read_bytes() == (place / "first" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.needs("bubblewrap")
def test_a_class_of_sixty_twice(tmp_path):
    """Every lesson, every mistake and alternative of it. Prints how long it took."""
    make(",".join(LESSONS), tmp_path / "hw", say=lambda text: None)
    most = max(len(answers(folder)) for folder in LESSONS.values())
    chosen = hand_in(tmp_path / "submissions", list(LESSONS), max(60, most))
    for out in ("first", "second"):
        began = time.monotonic()
        results = classroom.grade(
            tmp_path / "submissions", tmp_path / "hw", tmp_path / out, say=lambda text: None
        )
        print(
            f"{len(results)} submissions of "
            f"{len(read_assignment(tmp_path / 'hw' / 'key').parts)} lessons in "
            f"{time.monotonic() - began:.0f} s"
        )
        expect(results, chosen)
    for name in TABLES:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def notebook(source: str) -> str:
    cells = ["%matplotlib inline\n", source, "print(softmax(3))"]
    made = [{"cell_type": "code", "source": cell.splitlines(True)} for cell in cells]
    return json.dumps({"cells": made})


def zipped(files: dict) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def odd_class(size: int) -> tuple[dict, dict]:
    """({path: content} of `size` students, who hand in in every shape that platforms and people
    have; {student: share of the points that each lesson's file earns}).
    """
    one, two = LESSONS["02"].name, LESSONS["03"].name
    right = {name: (LESSONS[name[:2]] / "solution.py").read_text(encoding="utf-8")
             for name in (one, two)}
    files = {f"{name}.py": text for name, text in right.items()}
    loops = right[one].replace("return np.exp(nats)", "while True: pass")
    lacks = right[one].replace("def perplexity", "def perplexty")
    group = right[one].replace("return np.exp(nats)", "raise ExceptionGroup('x', [ValueError()])")
    assert right[one] not in (loops, lacks, group)
    nfc, nfd = (unicodedata.normalize(form, "José Núñez") for form in ("NFC", "NFD"))
    shapes = {
        "folder": files,
        "zip": {"work.zip": zipped(files)},
        "zip in zip": {"work.zip": zipped({"inner/hw.zip": zipped(files)})},
        "folder each": {f"{name[:2]}/{name}": text for name, text in files.items()},
        "backup": files | {f"old/{one}.py": "x = 1"},
        "renamed": {f"{one} (1).py": right[one], "attention.py.txt": right[two]},
        "capitals": {name.upper(): text for name, text in files.items()},
        "notebook": {f"{name}.ipynb": notebook(text) for name, text in right.items()},
        "imports": {name: "import matplotlib.pyplot as plt\n" + text
                    for name, text in files.items()},
        "windows": {name: "\ufeff" + text.replace("\n", "\r\n") for name, text in files.items()},
        "copied": files | {f"v2/{one}.py": right[one]},
        "loops": files | {f"{one}.py": loops},
        "lacks": files | {f"{one}.py": lacks},
        "group": files | {f"{one}.py": group},
        "not python": files | {f"{one}.py": "def f(:"},
        "stops": files | {f"{one}.py": right[one] + "\n1 / 0\n"},
        "one of two": {f"{two}.py": right[two]},
        "nothing": {},
        "two versions": {f"{v}/{name}": text + f"\n# {v}" for name, text in files.items()
                         for v in "ab"},
    }
    shares = {"loops": (5 / 6, 1), "lacks": (5 / 6, 1), "group": (5 / 6, 1), "not python": (0, 1),
              "stops": (0, 1), "one of two": (0, 1), "nothing": (0, 0), "two versions": (0, 0)}
    handed_in, earns = {}, {}
    for i in range(size - 3):
        shape = [*shapes][i % len(shapes)]
        who = f"{shape} {i}"
        earns[who] = shares.get(shape, (1, 1))
        for name, content in shapes[shape].items() or {"": ""}.items():
            handed_in[f"{who}/{name}"] = content
    for name in (one, two):  # Canvas: a late upload of each; Moodle; a name in two Unicode forms
        handed_in[f"doejane_12_77_{name}.py"] = "x = 1"
        handed_in[f"doejane_LATE_12_99_{name}.py"] = right[name]
        handed_in[f"Jürgen Müller_124_assignsubmission_file_/{name}.py"] = right[name]
        handed_in[f"{nfc if name == one else nfd}/{name}.py"] = right[name]
    return handed_in, earns | dict.fromkeys(("doejane_12", "Jürgen Müller_124", nfc), (1, 1))


def tree(out: Path) -> dict:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*")
            if path.is_file() and path.name != "grading.lock"}


@pytest.mark.slow
@pytest.mark.needs("bubblewrap")
def test_seventy_honest_and_odd_submissions_twice_and_killed_at_three_moments(tmp_path):
    """The same bytes in every file, however often the grader was killed. Prints seconds for each
    student and the largest process.
    """
    import resource

    make("02,03", tmp_path / "hw", seconds=2, say=lambda text: None)
    handed_in, earns = odd_class(70)
    (tmp_path / "submissions.zip").write_bytes(
        zipped({f"export/{name}": content for name, content in handed_in.items()}))
    for out in ("first", "second"):
        began = time.monotonic()
        grader = run_grader(tmp_path, tmp_path / out)
        assert grader.wait() == 0, grader.stderr.read()
        grader.stderr.close()
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        each = (time.monotonic() - began) / 70
        print(f"{each:.2f} s a student; largest process {largest:.0f} MB")
    first = tree(tmp_path / "first")
    results = {(r := json.loads(data))["student"]: r for name, data in first.items()
               if name.startswith("results/")}
    assert results.keys() == earns.keys()
    for student, shares in earns.items():
        for part, share in zip(results[student]["parts"], shares, strict=True):
            passed = sum(task["status"] == "passed" for task in part["tasks"])
            assert passed == round(share * len(part["tasks"])), (student, part)
    assert first == tree(tmp_path / "second")
    for least in (2, 30, 65):
        grader = run_grader(tmp_path, tmp_path / "killed")
        while grader.poll() is None and len(list(tmp_path.glob("killed/results/*.json"))) < least:
            time.sleep(0.02)
        grader.kill()
        grader.communicate()
    grader = run_grader(tmp_path, tmp_path / "killed")
    assert grader.wait() == 0, grader.stderr.read()
    grader.stderr.close()
    assert first == tree(tmp_path / "killed")
