"""Promise: an assignment is handed out without its answers, honest mistakes are explained kindly,
and what a stranger wrote is only ever read.

What needs no sandbox; submissions here are the test's own. Attacks: test_assignments_attacks.py.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from helpers import answers
import yaml

from minillm.assignments import (
    classroom,
    gradescope,
    gradescope_run,
    sandbox,
    wheel,
)
from minillm.assignments.assignment import digest_of, read_assignment
from minillm.assignments.grading import of_all, seed_of
from minillm.assignments.making import make
from minillm.assignments.student import check, submit
from minillm.cli import main
from minillm.course import checking, plain, process
from minillm.course.lessons import all_lessons, find
from minillm.errors import UserError

WAY = "none" if sandbox.works("bubblewrap") else "bubblewrap"
LESSON = find("02")
SOLUTION = (LESSON.folder / "solution.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("assignment") / "hw"
    make(
        "02",
        place,
        points="02=14,02.perplexity=3",
        due="2026-10-01T12:00+02:00",
        late=10,
        title="Counting <b>",
        way=WAY,
        say=lambda text: None,
    )
    return place


@pytest.fixture(scope="module")
def key(made):
    folder = made / "key" / "lessons" / LESSON.name
    return checking.remembering(checking.read_checks(folder, folder / "solution.py"))


def graded(key, source, seconds=5.0):
    source = source if isinstance(source, bytes) else source.encode()
    tasks, printed = checking.judge_file(
        key, source, [7, 2], process.Limits(seconds=seconds), lambda: sandbox.of(WAY)
    )
    return {task["name"]: task | {"printed": printed} for task in tasks}


def checks_of(number):
    folder = find(number).folder
    return checking.read_checks(folder, folder / "solution.py"), (folder / "solution.py").read_text(
        encoding="utf-8"
    )


# Handing out -----------------------------------------------------------------------------------


def test_solutions_do_not_travel_with_the_handout(made):
    handout = {
        path.relative_to(made / "handout").as_posix(): path.read_bytes()
        for path in (made / "handout").rglob("*")
        if path.is_file()
    }
    name = LESSON.name
    assert set(handout) == {
        "README.md",
        "AGENTS.md",
        "assignment.json",
        f"{name}.py",
        f"{name}.ipynb",
        f"{name}.html",
        f"checks/{name}",
        wheel.NAME,
    }
    with zipfile.ZipFile(io.BytesIO(handout.pop(wheel.NAME))) as files:
        names = files.namelist()
        assert "minillm/cli/dispatch.py" in names and not [
            name
            for name in names
            if "solution" in name and "_lessons" in name or "mistakes" in name
        ]
        assert f"minillm/_lessons/{name}/test_exercise.py" not in names, (
            "its mistakes are the right answer with one thing changed"
        )
    secret = json.loads((made / "key" / "secret.json").read_text(encoding="utf-8"))["seed"].encode()
    for data in handout.values():
        assert secret not in data and SOLUTION.encode()[40:200] not in data
    assert handout[f"{name}.py"].decode().replace(
        "minillm assignment check", "minillm lesson check 2"
    ).split() == ((LESSON.folder / "exercise.py").read_text(encoding="utf-8").split())


@pytest.mark.slow
@pytest.mark.parametrize("name", [lesson.name for lesson in all_lessons()])
def test_each_lesson_can_be_handed_out(name, tmp_path):
    """The reference gets all points and the stub none, through the very pipes that grade; else
    `make` refuses.
    """
    make(name, tmp_path / "hw", per_student=True, way=WAY, say=lambda text: None)


def test_nothing_is_written_unless_the_reference_is_proved(tmp_path, monkeypatch):
    from minillm.assignments import making

    broken = tmp_path / "lessons" / LESSON.name
    broken.mkdir(parents=True)
    for path in LESSON.folder.glob("*.*"):
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "solution.py").write_text(
        SOLUTION.replace("np.exp(nats)", "np.exp(nats) + 1"), encoding="utf-8"
    )
    monkeypatch.setattr(making, "find", lambda which: checking.replace(LESSON, folder=broken))
    with pytest.raises(UserError, match="the reference does not pass perplexity"):
        make("02", tmp_path / "hw", way=WAY, say=lambda text: None)
    assert not (tmp_path / "hw").exists()


@pytest.mark.parametrize(
    "options, what",
    [
        ({"lessons": "99"}, "99"),
        ({"lessons": "02,2"}, "--lessons"),
        ({"lessons": ""}, "--lessons"),
        ({"points": "03=4"}, "--points"),
        ({"points": "02.none=1"}, "--points"),
        ({"points": "02=-1"}, "--points"),
        ({"points": "02=2O"}, "2O is no number"),
        ({"points": "02=nan"}, "--points"),
        ({"points": "02=0"}, "--points"),
        ({"due": "tomorrow"}, "--due"),
        ({"late": 101}, "--late"),
        ({"seconds": 0}, "--seconds"),
        ({"install": "it's"}, "--install"),
    ],
)
def test_impossible_wishes_are_refused_by_name(options, what, tmp_path):
    with pytest.raises(UserError, match=what):
        make(
            **{"lessons": "02", "out": tmp_path / "hw", "say": lambda text: None, "way": WAY}
            | options
        )
    assert not (tmp_path / "hw").exists()


def test_points_are_shared_as_asked(made):
    assignment = read_assignment(made / "handout")
    assert (
        assignment.of == 15
        and assignment.parts[0].points["perplexity"] == 3
        and assignment.parts[0].points["cross_entropy"] == 4
    )


def test_a_key_is_no_handout_and_a_handout_no_key(made, capsys):
    assert main(["assignment", "check", str(made / "key")]) == 2
    assert (
        main(
            [
                "assignment",
                "grade",
                str(made),
                "--key",
                str(made / "handout"),
                "--out",
                str(made / "x"),
            ]
        )
        == 2
    )
    assert "secret.json" in capsys.readouterr().err


# For students ----------------------------------------------------------------------------------


def test_check_and_submit(made, tmp_path, capsys):
    import shutil

    folder = shutil.copytree(made / "handout", tmp_path / "work")
    assert check(folder) == 1
    assert "hidden checks" in capsys.readouterr().out
    (folder / f"{LESSON.name}.py").write_text(
        SOLUTION.replace("np.exp(nats)", "2.0**nats"), encoding="utf-8"
    )
    assert check(folder) == 1
    said = capsys.readouterr().out
    assert (
        "12 of 15 points by the public checks" in said
        and "12 of 15 points  (--seed" in said
        and "cross_entropy  4 of 4" in said
    ), "the points of the handout"
    check(folder, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert {
        task["name"]: task["points"] for task in report["parts"][0]["tasks"]
    } == read_assignment(folder).parts[0].points and report["parts"][0]["points"] == 12
    for wrong, what in (("2.none", "it has PERPLEXITY"), ("03.softmax", "no such lesson")):
        with pytest.raises(UserError, match=what):
            check(folder, only=wrong)
    check(folder, classroom50=folder / "result.json")
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert result["schema"] == "classroom50/result/v1" and (
        result["score"],
        result["max-score"],
        len(result["tests"]),
    ) == (12, 15, 6)
    assert set(result["tests"][0]) == {"test-name", "passed", "score", "max-score"}
    assert (
        check(folder, only="02.cross_entropy") == 0
        and check(folder, only="02_counting.perplexity") == 1
    )
    (folder / f"{LESSON.name}.py").write_text(
        SOLUTION.replace("PERPLEXITY = 2**2.25", "PERPLEXITY = None").replace(
            "return np.exp(nats)", "raise NotImplementedError"
        ),
        encoding="utf-8",
    )
    submit(folder, "Ada L.")
    assert "not written yet: PERPLEXITY, perplexity\n" in capsys.readouterr().out
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    archive = submit(folder, "Ada L.")
    with zipfile.ZipFile(archive) as files:
        assert files.namelist() == [f"{LESSON.name}.py"]
    first = archive.read_bytes()
    assert submit(folder, "Ada L.").read_bytes() == first
    for name in ("../x", "", "=1", "a/b", "a" * 100):
        with pytest.raises(UserError, match="--name"):
            submit(folder, name)


def test_a_notebook_with_the_functions_below_the_stub_counts(made, tmp_path, capsys):
    folder = shutil.copytree(made / "handout", tmp_path / "work")
    path = folder / f"{LESSON.name}.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"].append({"cell_type": "code", "source": SOLUTION.splitlines(keepends=True)})
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert check(folder) == 0 and "15 of 15 points" in capsys.readouterr().out
    submit(folder, "ada")
    assert "not written yet" not in capsys.readouterr().out


def test_check_tells_a_lost_name_and_what_becomes_of_tasks_that_wait(tmp_path, capsys, monkeypatch):
    make("03", tmp_path / "hw", way=WAY, install="x", say=lambda text: None)
    solution = (find("03").folder / "solution.py").read_text(encoding="utf-8")
    (tmp_path / "hw" / "handout" / "03_attention.py").write_text(
        solution.replace("def masked", "def mask"), encoding="utf-8"
    )
    assert check(tmp_path / "hw", only="3.attention") == 0, (
        "where the course has its solutions, the reference is lent as it is when graded"
    )
    assert "there is no masked in the file" in capsys.readouterr().out
    from minillm.assignments import student

    monkeypatch.setattr(
        student,
        "find",
        lambda name: (_ for _ in ()).throw(UserError("a handout's minillm has no solutions")),
    )
    assert check(tmp_path / "hw") == 1
    said = capsys.readouterr().out
    assert "waits for masked" in said and "the reference stands in" in said


def test_a_file_that_is_not_python_is_warned_about_before_it_is_handed_in(made, tmp_path, capsys):
    import shutil

    folder = shutil.copytree(made / "handout", tmp_path / "work")
    (folder / f"{LESSON.name}.py").write_text("def f(:\n", encoding="utf-8")
    assert check(folder) == 1
    submit(folder, "ada")
    assert "not Python yet" in capsys.readouterr().out


# Honest failures -------------------------------------------------------------------------------


def replaced(old, new):
    assert old in SOLUTION
    return SOLUTION.replace(old, new)


PROBABILITIES = "return smoothed / smoothed.sum(axis=1, keepdims=True)"
KIND = {
    "none": (
        "bigram_probabilities",
        replaced(PROBABILITIES, "smoothed / smoothed.sum(axis=1, keepdims=True)"),
        "return at the end",
    ),
    "shape": (
        "bigram_probabilities",
        replaced(
            PROBABILITIES, "return (smoothed / smoothed.sum(axis=1, keepdims=True))[:, :, None]"
        ),
        "shape",
    ),
    "dtype": (
        "bigram_probabilities",
        replaced(PROBABILITIES, "return str(smoothed)"),
        "is text where an array of numbers is expected",
    ),
    "nan": ("bigram_probabilities", replaced(PROBABILITIES, "return smoothed * np.nan"), "NaN"),
    "inf": ("perplexity", replaced("return np.exp(nats)", "return np.inf"), "inf"),
    "exception": (
        "perplexity",
        replaced("return np.exp(nats)", "return np.exp(nat)"),
        "NameError: name 'nat' is not defined (line",
    ),
    "time": (
        "perplexity",
        replaced("return np.exp(nats)", "while True: pass"),
        "took longer than the 1 seconds",
    ),
    "exit": (
        "perplexity",
        replaced("return np.exp(nats)", "import os; os._exit(0)"),
        "ended the whole program",
    ),
    "missing": (
        "perplexity",
        replaced("def perplexity", "def perplexty"),
        "there is no perplexity in the file",
    ),
    "todo": (
        "perplexity",
        replaced("return np.exp(nats)", "raise NotImplementedError"),
        "not written yet",
    ),
    "number": (
        "PERPLEXITY",
        replaced("PERPLEXITY = 2**2.25", "PERPLEXITY = 7"),
        "Work it out again",
    ),
    "value": (
        "perplexity",
        replaced("return np.exp(nats)", "return np.exp(nats) + 0.01"),
        "wrong on 21 of 21 inputs",
    ),
    "precision": (
        "bigram_probabilities",
        replaced(
            PROBABILITIES,
            "smoothed = smoothed.astype(np.float32)\n    return (smoothed / smoothed.sum(axis=1, "
            "keepdims=True)).astype(float)",
        ),
        "float32",
    ),
}


@pytest.mark.parametrize("kind", KIND)
def test_an_honest_failure_is_told_kindly_and_costs_one_task(kind, key):
    name, source, says = KIND[kind]
    found = graded(key, source, seconds=1.0 if kind == "time" else 5.0)
    assert found[name]["kind"] == kind and says in found[name]["message"], found[name]
    assert {task for task in found if found[task]["status"] != "passed"} == {name}, found


def test_a_name_that_is_missing_is_named_where_the_lesson_calls_the_function_itself():
    checks, solution = checks_of("11")
    found = graded(checks, solution.replace("def quantize(", "def quantise("))["quantize"]
    assert (found["kind"], found["message"]) == (
        "missing", "there is no quantize in the file: keep the names of the exercise")


def test_an_array_for_a_number_and_a_question_that_nobody_answers(key):
    found = graded(key, replaced("return np.exp(nats)", "return np.exp(nats),"))["perplexity"]
    assert found["kind"] == "shape" and "where a single number is expected" in found["message"]
    assert (
        "Nobody answers input()"
        in graded(key, SOLUTION + "\nn = input()\n")["perplexity"]["message"]
    )


def test_what_a_submission_prints_is_kept_for_the_teacher(key):
    found = graded(
        key,
        "print('while it is read')\n"
        + replaced("return np.exp(nats)", "print('while it is asked')\n    return np.exp(nats)"),
    )
    assert all(
        "while it is read\n" in task["printed"] and "while it is asked\n" in task["printed"]
        for task in found.values()
    )
    assert (
        "before it ends" in graded(key, "print('before it ends')\n1 / 0\n")["perplexity"]["printed"]
    )


@pytest.mark.parametrize(
    "source, kind, says",
    [
        ("x = 1\ndef f(:\n", "syntax", "line 2"),
        (SOLUTION + "\n1 / 0\n", "import", "ZeroDivisionError"),
        (b"\xff\xfe\x00", "syntax", "UTF-16"),
    ],
)
def test_a_file_that_cannot_be_run_is_told_once_for_all_its_tasks(source, kind, says, key):
    found = graded(key, source)
    assert {task["kind"] for task in found.values()} == {kind} and all(
        says in task["message"] and not task["earned"] for task in found.values()
    )


def test_the_reference_stands_in_for_what_is_not_right():
    """Lesson 03: softmax is wrong, and everything after it counts; what is lent is the
    prerequisite alone.
    """
    checks, solution = checks_of("03")
    wrong = solution.replace("return e / np.sum(e, axis=-1, keepdims=True)", "return e")
    found = graded(
        checks,
        wrong
        + """
def attention(q, k, v):
    import sys
    lent = {name for name in vars(sys.modules["lent"]) if not name.startswith("__")} if "lent" in sys.modules else set()
    if lent - {"np", "softmax"} or "minillm" in sys.modules:
        return None
    return softmax(masked(scores(q, k))) @ v
""",
    )
    assert [name for name in found if found[name]["status"] != "passed"] == ["softmax"], found
    assert found["attention"]["helped"] == ["softmax"] and found["scores"]["helped"] == []
    kept_back = graded(checking.replace(checks, not_lent=frozenset({"softmax"})), wrong)
    assert kept_back["attention"]["status"] == "failed" and kept_back["attention"]["helped"] == []


def test_what_is_lent_gains_nothing_for_its_own_task():
    """Whoever leaves softmax out to be lent it, and hides it, is still without it where softmax
    counts.
    """
    checks, solution = checks_of("03")
    found = graded(
        checks,
        solution
        + """
import builtins
def softmax(x):
    if not hasattr(builtins, "kept"):
        raise ValueError
    return builtins.kept(x)
def attention(q, k, v):
    import sys
    builtins.kept = sys.modules[__name__].softmax
    return softmax(masked(scores(q, k))) @ v
""",
    )
    assert [name for name in found if found[name]["status"] != "passed"] == ["softmax"], found


def test_one_unused_import_costs_nothing_and_a_used_one_its_task(key):
    found = graded(
        key,
        "import torch.nn.functional as F\nfrom minillm.in_numpy import ops\n"
        + replaced("return np.exp(nats)", "return F.exp(nats)"),
    )
    assert {name for name in found if found[name]["status"] != "passed"} == {"perplexity"}
    assert (
        "No module named 'torch'" in found["perplexity"]["message"]
        and "take this import out" in found["perplexity"]["message"]
    )


def test_what_differs_from_run_to_run_is_not_in_a_result():
    from minillm.assignments.grading import clean

    assert (
        clean("<f at 0x7f12> in /tmp/minillm-box-12-34-x/box/the_exercise.py\x1b")
        == "<f> in /box/the_exercise.py\\x1b"
    )


EVERY = 8  # of the mistakes of two lessons one in so many is tried, in the slow run all of all


@pytest.mark.parametrize(
    "number, every",
    [
        ("03", EVERY),
        ("08", EVERY),
        *(pytest.param(lesson.number, 1, marks=pytest.mark.slow) for lesson in all_lessons()),
    ],
)
def test_check_and_grade_say_the_same_of_every_mistake(number, every, monkeypatch):
    """The handout's checks, which are data, and the key's, which are functions, on the same
    inputs: points, kinds, hints, messages. What the file answers is asked once, since both ask it
    the same."""
    from minillm.course import published

    asked, original = {}, checking.ask_all

    def once(job, limits, sandbox_of, spent):
        jobs = (job.file, job.lent, plain.record(job.tasks, inwards=True))
        asked[jobs] = asked.get(jobs) or original(job, limits, sandbox_of, spent)
        return asked[jobs]

    monkeypatch.setattr(checking, "ask_all", once)
    key, solution = checks_of(number)
    key = checking.remembering(key)
    public = checking.replace(
        published.read_published(published.publish(key, [[1, 0]]), "x"), reference=solution
    )
    folder = find(number).folder
    for name, code in list(answers(folder).items())[::every]:
        asked.clear()
        source = (solution + "\n\n" + code).encode()
        says = []
        for checks in (public, checking.replace(key, cases=public.cases)):
            tasks, _ = checking.judge_file(
                checks, source, [5], process.Limits(), lambda: sandbox.of(WAY)
            )
            says.append(
                [
                    {
                        field: task[field]
                        for field in (
                            "name",
                            "status",
                            "kind",
                            "hint",
                            "message",
                            "example",
                            "helped",
                        )
                    }
                    for task in tasks
                ]
            )
        assert says[0] == says[1], name
        assert len(asked) == 1 + sum(bool(task["helped"]) for task in says[0]), (
            "both asked the same"
        )


def test_seeds_come_from_the_key_and_the_name():
    one, each = {"seed": "k", "per_student": False}, {"seed": "k", "per_student": True}
    assert seed_of(one, "a") == seed_of(one, "b") != seed_of(one | {"seed": "l"}, "a")
    assert len({seed_of(one, ""), *(seed_of(each, name) for name in ("a", "b", "\udcff"))}) == 4


def test_imports_that_the_grader_has_not_are_warned_about(made, tmp_path, capsys):
    import shutil

    folder = shutil.copytree(made / "handout", tmp_path / "work")
    (folder / f"{LESSON.name}.py").write_text(
        "import math\nfrom minillm.in_numpy import ops\nimport numpy.linalg\n" + SOLUTION,
        encoding="utf-8",
    )
    assert check(folder) == 0
    said = capsys.readouterr().out
    submit(folder, "ada")
    for text in (said, capsys.readouterr().out):
        assert "imports minillm, which is not there when it is checked or graded" in text
    (folder / f"{LESSON.name}.py").write_text(SOLUTION, encoding="utf-8")
    submit(folder, "ada")
    assert "WARNING" not in capsys.readouterr().out


# Gradescope ------------------------------------------------------------------------------------

TEXT = ("text", "html", "simple_format", "md", "ansi")
SEEN = ("hidden", "after_due_date", "after_published", "visible")
TOP = {
    "score": lambda v: number(v) and v >= 0,
    "execution_time": lambda v: number(v) and v >= 0,
    "output": lambda v: isinstance(v, str),
    "output_format": TEXT.__contains__,
    "test_output_format": TEXT.__contains__,
    "test_name_format": TEXT.__contains__,
    "visibility": SEEN.__contains__,
    "stdout_visibility": SEEN.__contains__,
    "extra_data": lambda v: isinstance(v, dict),
    "tests": lambda v: isinstance(v, list),
    "leaderboard": lambda v: isinstance(v, list),
}
TEST = {
    "score": lambda v: number(v) and v >= 0,
    "max_score": lambda v: number(v) and v >= 0,
    "status": ("passed", "failed").__contains__,
    "name": lambda v: isinstance(v, str) and v,
    "number": lambda v: isinstance(v, str) and v,
    "output": lambda v: isinstance(v, str),
    "tags": lambda v: isinstance(v, list) and all(isinstance(tag, str) for tag in v),
    "visibility": SEEN.__contains__,
    "extra_data": lambda v: isinstance(v, dict),
}
ROW = {"name": lambda v: isinstance(v, str), "value": lambda v: isinstance(v, str) or number(v),
       "order": ("asc", "desc").__contains__}


def number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def as_documented(results):
    """Every field is one of https://gradescope-autograders.readthedocs.io/en/latest/specs/, with
    a value that it may have.
    """
    tables = [(results, TOP), *((test, TEST) for test in results["tests"])]
    tables += [(row, ROW) for row in results.get("leaderboard", ())]
    for values, known in tables:
        for name, value in values.items():
            assert known[name](value), (name, value)
    assert {"score", "tests", "execution_time"} <= set(results)
    assert all(test["score"] <= test["max_score"] for test in results["tests"])
    assert results["stdout_visibility"] == "hidden"


@pytest.mark.parametrize("field, value", [
    ("score", "10"), ("score", True), ("visibility", "later"), ("grade", 1), ("tags", ["x"])])
def test_a_field_that_gradescope_does_not_know_would_be_noticed(field, value):
    whole = {"score": 1, "tests": [], "execution_time": 1, "stdout_visibility": "hidden"}
    as_documented(whole)
    with pytest.raises((AssertionError, KeyError)):
        as_documented(whole | {field: value})


@pytest.mark.skipif(os.name == "nt", reason="Gradescope runs Linux")
def test_the_archive_in_a_folder_laid_out_like_gradescope_s(made, tmp_path, monkeypatch):
    archive = gradescope.write(made, visibility="visible", leaderboard=True, say=lambda text: None)
    root = tmp_path / "autograder"
    with zipfile.ZipFile(archive) as files:
        assert {"setup.sh", "run_autograder"} <= set(files.namelist()) and all(
            files.getinfo(n).external_attr >> 16 & 0o111 for n in ("setup.sh", "run_autograder")
        )
        assert not [
            name
            for name in files.namelist()
            if "mistakes" in name or name.startswith("/") or ".." in name
        ]
        files.extractall(root / "source")
    (root / "run_autograder").write_bytes((root / "source" / "run_autograder").read_bytes())
    (root / "run_autograder").chmod(0o755)
    for script in ("setup.sh", "run_autograder"):
        subprocess.run(["bash", "-n", str(root / "source" / script)], check=True)
    assert "numpy==" in (root / "source" / "requirements.txt").read_text(encoding="utf-8")
    (root / "submission").mkdir()
    (root / "submission" / f"{LESSON.name}.py").write_text(
        replaced("return np.exp(nats)", "return 2.0**nats"), encoding="utf-8"
    )
    (root / "submission_metadata.json").write_text(
        json.dumps(
            {
                "created_at": "2026-10-02T14:00:00.000000-05:00",
                "assignment": {"due_date": "2026-10-01T12:00:00.000000-05:00"},
                "users": [
                    {
                        "email": "ada@x.org",
                        "assignment": {"due_date": "2026-10-02T12:00:00.000000-05:00"},
                    }
                ],
            }
        ),
        encoding="utf-8",
    )
    if (
        WAY == "bubblewrap"
    ):  # as Gradescope starts it, but for the virtual environment, which setup.sh makes
        (root / "venv" / "bin").mkdir(parents=True)
        (root / "venv" / "bin" / "python").write_text(
            f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8"
        )
        (root / "venv" / "bin" / "python").chmod(0o755)
        ended = subprocess.run(
            [str(root / "run_autograder")], capture_output=True, text=True, cwd=root
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
    else:
        monkeypatch.setattr(sandbox, "choose", lambda *_, **more: WAY)
        gradescope_run.main(root)
    results = json.loads((root / "results" / "results.json").read_text(encoding="utf-8"))
    as_documented(results)
    assert (
        sum(test["score"] for test in results["tests"]) == 12 and results["score"] == 10.8
    )  # one day late
    assert len(results["leaderboard"]) == 2 and {
        test["visibility"] for test in results["tests"]
    } == {"visible"}
    failed = [test for test in results["tests"] if test["status"] == "failed"]
    assert [test["number"] for test in failed] == ["2.5"] and "base" in failed[0]["tags"]
    if getattr(os, "getuid", lambda: 1)() == 0:  # as in a container that forbids bubblewrap
        monkeypatch.undo()
        monkeypatch.setattr(sandbox, "find_bubblewrap", lambda: None)
        gradescope_run.main(root)
        again = json.loads((root / "results" / "results.json").read_text(encoding="utf-8"))
        assert again.pop("extra_data") == {"days_late": 1, "sandbox": "chroot"}
        assert again | {"execution_time": 0} == {
            name: value for name, value in results.items() if name != "extra_data"
        } | {"execution_time": 0}


@pytest.mark.parametrize("kind", ["exception", "import", "value", "syntax", "dtype", "shape"])
def test_no_text_of_a_submission_is_shown_where_it_may_try_again(kind):
    """On Gradescope, a text that a submission chose would carry hidden inputs out."""
    task = {"name": "f", "status": "failed", "kind": kind, "hint": None, "helped": [],
            "message": "It raises Hidden71: it raises ValueError: the input is 71 (line 3).",
            "example": "71"}
    said = gradescope_run.guarded_note(task)
    assert "71" not in said and "minillm assignment check" in said
    known = task | {"message": "It raises ValueError: the input is 71 (line 3)."}
    assert "71" not in gradescope_run.guarded_note(known)
    assert "ValueError" in gradescope_run.guarded_note(known)


def installs(place) -> set[str]:
    """Every command of the handout's README and of both workflows that installs something."""
    readme = (place / "handout" / "README.md").read_text(encoding="utf-8")
    tests = json.loads((place / "classroom50" / "tests.json").read_text(encoding="utf-8"))["tests"]
    workflow = yaml.safe_load((place / "github" / "check.yml").read_text(encoding="utf-8"))
    found = {line.strip() for line in readme.splitlines() if "pip install" in line}
    return (
        found
        | {test["setup"] for test in tests}
        | {
            step["run"].strip()
            for step in workflow["jobs"]["check"]["steps"]
            if "pip" in step.get("run", "")
        }
    )


def test_students_install_the_file_they_are_given_or_what_the_teacher_names(
    made, tmp_path, monkeypatch
):
    """README and workflows say the same; nothing but the handout and the index's packages is
    needed.
    """
    from minillm.assignments import making

    monkeypatch.setattr(gradescope, "requirements", lambda key: "")
    monkeypatch.setattr(making, "prove", lambda *_: [])
    gradescope.write(made, say=lambda text: None)
    assert (
        installs(made) == {f"pip install ./{wheel.NAME}"}
        and (made / "handout" / wheel.NAME).is_file()
    )
    make(
        "02",
        tmp_path / "hw",
        install="ours @ https://x.org/a.whl",
        way="none",
        say=lambda text: None,
    )
    gradescope.write(tmp_path / "hw", say=lambda text: None)
    assert installs(tmp_path / "hw") == {'pip install "ours @ https://x.org/a.whl"'}
    assert not list((tmp_path / "hw" / "handout").glob("*.whl"))


def test_an_assignment_is_made_where_no_sandbox_works(tmp_path, monkeypatch):
    """Only the reference and the stub run then; a way that was asked for by name is still
    refused.
    """
    monkeypatch.setattr(sandbox, "works", lambda way, *_: "not here" if way != "none" else "")
    make("02", tmp_path / "hw", say=lambda text: None)
    assert (
        json.loads((tmp_path / "hw" / "key" / "proof.json").read_text(encoding="utf-8"))["sandbox"]
        == "none"
    )
    with pytest.raises(UserError, match="not here"):
        make("02", tmp_path / "hw2", way="bubblewrap", say=lambda text: None)


def test_a_handout_s_minillm_makes_no_assignment(tmp_path, monkeypatch):
    """It came without solutions, and says so."""
    from minillm.assignments import making
    from minillm.course.lessons import read_lesson

    for path in LESSON.folder.glob("*.*"):
        if path.name != "solution.py":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(making, "find", lambda which: read_lesson(tmp_path))
    with pytest.raises(UserError, match="without solutions"):
        make("02", tmp_path / "hw", way=WAY, say=lambda text: None)


def test_files_beside_it(made):
    gradescope.write(made, install="our-minillm==1.0", say=lambda text: None)
    tests = json.loads((made / "classroom50" / "tests.json").read_text(encoding="utf-8"))
    assert (
        tests["schema"] == "classroom50/tests/v1"
        and sum(test["points"] for test in tests["tests"]) == 15
    )
    for test in tests["tests"]:
        assert (
            set(test) == {"name", "type", "setup", "run", "timeout", "points"}
            and test["type"] == "run"
            and isinstance(test["points"], int)
            and test["setup"] == "pip install our-minillm==1.0"
        )
    workflow = yaml.safe_load((made / "github" / "check.yml").read_text(encoding="utf-8"))
    assert [step.get("run") for step in workflow["jobs"]["check"]["steps"]][-2:] == [
        "pip install our-minillm==1.0\n",
        "minillm assignment check .",
    ]


def test_two_graders_do_not_write_one_folder(tmp_path):
    with classroom.only_one(tmp_path / "lock"), pytest.raises(UserError, match="another grader"):
        with classroom.only_one(tmp_path / "lock"):
            pass


def test_without_a_sandbox_nothing_is_run_unless_asked_for(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sandbox, "works", lambda way, *_: "not here")
    (tmp_path / "s" / "ada").mkdir(parents=True)
    grade = ["assignment", "grade", str(tmp_path / "s"), "--key", str(made),
             "--out", str(tmp_path / "out")]
    assert main(grade) == 2
    assert "no submission is run here" in capsys.readouterr().err
    monkeypatch.setattr(sandbox, "works", lambda way, *_: "" if way == "none" else "not here")
    assert main([*grade, "--sandbox", "none"]) == 0
    assert "WARNING" in capsys.readouterr().out


@pytest.mark.parametrize(
    "printed, says",
    [
        ("bwrap: setting up uid map: Permission denied", "AppArmor"),
        ("bwrap: Creating new namespace failed: Operation not permitted", "container"),
        ("ImportError: libscipy_openblas.so: cannot open shared object file", "library of NumPy"),
        ("something else", "something else"),
    ],
)
def test_why_a_sandbox_does_not_work_is_said_with_its_remedy(printed, says, monkeypatch):
    monkeypatch.setattr(sandbox, "_open_to_all", lambda path: True)
    monkeypatch.setattr(sandbox, "_apparmor", lambda: False)
    assert says in sandbox._cause(process.Answers(reason="exit", printed=printed))


def test_bubblewrap_is_started_by_the_path_at_which_it_was_found(tmp_path, monkeypatch):
    sandbox.find_bubblewrap.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "bwrap").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "bwrap").chmod(0o755)
    found = sandbox.find_bubblewrap()
    assert found == ((str(tmp_path / "bwrap"), "") if sys.platform.startswith("linux") else None)
    sandbox.find_bubblewrap.cache_clear()


def test_the_runner_needs_nothing_of_minillm():
    """What goes into the sandbox needs NumPy and itself alone."""
    import ast

    for name in process.FILES:
        tree = ast.parse((Path(process.__file__).parent / name).read_text(encoding="utf-8"))
        guarded = [
            node
            for branch in tree.body
            if isinstance(branch, ast.If) and "__main__" in ast.unparse(branch.test)
            for node in ast.walk(branch)
        ]
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)) and node not in guarded:
                names = (
                    [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else [alias.name for alias in node.names]
                )
                assert not any(name.startswith("minillm") for name in names), name


def test_a_handout_names_its_own_command(made):
    stub = next((made / "handout").glob("*.py")).read_text(encoding="utf-8")
    assert "minillm assignment check" in stub and "minillm lesson check" not in stub


def test_grades_of_another_assignment_are_not_overwritten(made, tmp_path):
    results = tmp_path / "grades" / "results"
    results.mkdir(parents=True)
    (results / "ada.json").write_text(
        json.dumps({"student": "ada", "key": "0", "parts": [{"name": "99_none", "tasks": []}]}),
        encoding="utf-8",
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada.py").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="another assignment"):
        classroom.grade(
            tmp_path / "in", made / "key", tmp_path / "grades", WAY, say=lambda text: None
        )
    assert not (tmp_path / "grades" / "grades.csv").exists()


def test_a_key_that_is_not_whole_grades_nobody(made, tmp_path):
    key = shutil.copytree(made / "key", tmp_path / "key")
    (tmp_path / "in").mkdir()
    for name in ("ada", "bob"):
        (tmp_path / "in" / f"{name}.py").write_text(SOLUTION, encoding="utf-8")

    def grade(out="grades", folder="in"):
        said = []
        results = classroom.grade(tmp_path / folder, key, tmp_path / out, WAY, say=said.append)
        return results, "\n".join(said)

    with pytest.raises(UserError, match="outside"):
        grade("in/grades")
    shutil.copytree(made / "handout", tmp_path / "handout")
    with pytest.raises(UserError, match="not a folder of submissions"):
        grade(folder="handout")
    test = key / "lessons" / LESSON.name / "test_exercise.py"
    whole = test.read_text(encoding="utf-8")
    test.write_text(whole + "\nfrom minillm.in_numpy import of_another_version\n", encoding="utf-8")
    with pytest.raises(UserError, match="of_another_version"):
        grade()
    test.write_text(
        whole.replace("def right_perplexity", "def right_perplexity")
        + "\nTASKS[4] = __import__('dataclasses').replace(TASKS[4], returns=3)\n",
        encoding="utf-8",
    )
    (key / "proof.json").write_text(json.dumps({"minillm": "0.0.0"}), encoding="utf-8")
    for name in ("ada", "bob"):
        (tmp_path / "in" / f"{name}.py").write_text(
            SOLUTION.replace("return np.exp(nats)", "return [1, 2]"), encoding="utf-8"
        )
    _, said = grade()
    assert "made by minillm 0.0.0" in said
    (key / "lessons" / LESSON.name / "solution.py").unlink()
    with pytest.raises(UserError, match="not whole"):
        grade()


def test_a_submission_that_cannot_be_graded_costs_nobody_else(made, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in ("ada", "bob"):
        (tmp_path / "in" / f"{name}.py").write_text(SOLUTION, encoding="utf-8")
    original = classroom.Grader.grade
    monkeypatch.setattr(
        classroom.Grader,
        "grade",
        lambda self, s: original(self, s) if s.student == "bob" else 1 / 0,
    )
    said = []
    ada, bob = classroom.grade(
        tmp_path / "in", made / "key", tmp_path / "out", WAY, say=said.append
    )
    assert {task["kind"] for task in ada["parts"][0]["tasks"]} == {"grader"} and {
        task["status"] for task in bob["parts"][0]["tasks"]
    } == {"passed"}
    assert (
        "could not be graded" in said[-1] and "ada" in said[-1] and "ZeroDivisionError" in said[-1]
    )
    monkeypatch.undo()
    ada, bob = classroom.grade(
        tmp_path / "in", made / "key", tmp_path / "out", WAY, say=said.append
    )
    assert {task["status"] for task in ada["parts"][0]["tasks"]} == {"passed"}, (
        "it is worth another try"
    )


def test_one_student_is_graded_again_and_nobody_else(made, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in ("ada", "bob"):
        (tmp_path / "in" / f"{name}.py").write_text(SOLUTION, encoding="utf-8")
    asked = []

    def graded(self, submission):
        asked.append(submission.student)
        parts = [{"name": part.name, "printed": "", "tasks": of_all(part, "passed", "passed", "")}
                 for part in self.assignment.parts]
        return {"student": submission.student, "parts": parts}

    def grade(**more):
        asked.clear()
        classroom.grade(tmp_path / "in", made / "key", tmp_path / "out", WAY, say=lambda text: None,
                        **more)
        return sorted(asked)

    monkeypatch.setattr(classroom.Grader, "grade", graded)
    assert grade() == ["ada", "bob"] and grade() == [] and grade(only="bob") == ["bob"]
    assert (tmp_path / "out" / "grades.csv").read_text(encoding="utf-8-sig").count("100.0") == 2
    (tmp_path / "in" / "ada.py").write_text(SOLUTION + "\n", encoding="utf-8")
    assert grade() == ["ada"], "what has changed is graded anew"
    with pytest.raises(UserError, match="--only eve: no submission of this name; there are ada"):
        grade(only="eve")
    with pytest.raises(UserError, match="--lms canvas: needs --roster"):
        grade(lms="canvas")


def test_what_is_not_begun_is_not_graded_after_an_interruption(made, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for i in range(40):
        (tmp_path / "in" / f"{i}.py").write_text(SOLUTION, encoding="utf-8")
    asked = []
    original = classroom._safely

    def say(text):
        if "of 15 points" in text:
            raise KeyboardInterrupt

    def graded(self, submission):
        asked.append(submission.student)
        raise ValueError

    monkeypatch.setattr(classroom.Grader, "grade", graded)
    monkeypatch.setattr(classroom, "_safely", lambda *args: (time.sleep(0.02), original(*args))[1])
    with pytest.raises(KeyboardInterrupt):
        classroom.grade(tmp_path / "in", made / "key", tmp_path / "out", WAY, jobs=1, say=say)
    assert len(asked) < 20, "an error while a result is written, or Ctrl-C, ends the run"


def test_nothing_is_added_to_a_key(made):
    before = digest_of(made / "key")
    with pytest.raises(UserError, match="the key itself"):
        gradescope.write(made / "key", say=lambda text: None)
    assert digest_of(made / "key") == before


def test_the_due_time_is_told_as_people_say_it(made):
    assert "Due: **Thursday, 1 October 2026, 12:00 (UTC+02:00)**" in (
        made / "handout" / "README.md"
    ).read_text(encoding="utf-8")
