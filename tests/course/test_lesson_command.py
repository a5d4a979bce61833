"""Promises of `minillm lesson`: the reader's copy is made once and never overwritten, a check
cannot be hung or brought down, progress is kept, and nothing is written into the package."""

import json
from pathlib import Path

import jupytext
import nbclient
import nbformat
import pytest

from helpers import ROOT
from minillm import cli
from minillm.course import checking, lessons, report, solutions
from minillm.course.lessons import all_lessons, find
from minillm.course.opened import Pages
from minillm.errors import UserError

FIRST = all_lessons()[0]


@pytest.fixture
def minillm(capsys, tmp_path):
    """Runs `minillm lesson ACTION ... --folder tmp_path`: (exit status, standard output, standard
    error)."""

    def run(*arguments):
        capsys.readouterr()
        status = cli.main(["lesson", *map(str, arguments), "--folder", str(tmp_path / "course")])
        return status, *capsys.readouterr()

    return run


def test_the_way_of_a_reader(minillm, tmp_path, monkeypatch):
    """List, open, check the stub, solve it, check again: the copy is the reader's, the score is kept."""
    before = {path: path.read_bytes() for path in FIRST.folder.rglob("*") if path.is_file()}
    status, out, _ = minillm("list")
    assert status == 0 and FIRST.title in out
    status, out, _ = minillm("check", "1")
    own = tmp_path / "course" / FIRST.name / "exercise.py"
    assert status == 1 and str(own) in out.replace("\n", "") and "0 of 8 points" in out
    assert "Well done" not in out and "solution" not in out
    own.write_text((FIRST.folder / "solution.py").read_text(encoding="utf-8"), encoding="utf-8")
    status, out, _ = minillm("check", "1")
    assert status == 0 and "8 of 8 points" in out
    monkeypatch.setattr(Pages, "write_missing", lambda self: None)         # test_pages.py looks at all of them
    status, out, _ = minillm("open", FIRST.name, "--no-browser")
    page = tmp_path / "course" / "pages" / "lessons" / f"{FIRST.name}.html"
    assert status == 0 and FIRST.title in page.read_text(encoding="utf-8")
    assert own.read_text(encoding="utf-8") == (FIRST.folder / "solution.py").read_text(
        encoding="utf-8"
    )
    own.write_text("", encoding="utf-8")
    assert minillm("check", "1")[0] == 1
    entry = lessons.progress(tmp_path / "course")["lessons"][FIRST.name]
    assert (entry["points"], entry["of"]) == (8, 8) and len(entry["passed"]) == 6, (
        "the best score is kept"
    )
    assert "8 of 8" in minillm("list")[1]
    assert {path: path.read_bytes() for path in FIRST.folder.rglob("*") if path.is_file()} == before


def test_a_file_of_ones_own_as_data(minillm, tmp_path):
    """--json: plain data with all that a grader needs; the same seed gives the same inputs."""
    file = tmp_path / "mine.py"
    file.write_text(
        "def merge(word, pair, new):\n    print('hello')\n    return list(word)\n", encoding="utf-8"
    )
    status, out, _ = minillm("check", "1", file, "--json", "--seed", "5")
    report = json.loads(out)
    assert (
        status == 1
        and report["lesson"] == FIRST.name
        and report["seed"] == 5
        and report["points"] == 0
        and report["of"] == 8
    )
    assert {task["name"]: task["status"] for task in report["tasks"]} == {
        "BYTES_PER_TOKEN": "todo",
        "pair_counts": "todo",
        "merge": "failed",
        "train": "todo",
        "encode": "todo",
        "decode": "todo",
    }
    merge = report["tasks"][2]
    assert merge["hint"] is None
    assert merge["example"].startswith("merge((") and ", right is [" in merge["example"]
    assert len(merge["example"]) < 80, "a small input"
    assert report["printed"].startswith("hello\n") and not (tmp_path / "course").exists()
    again = json.loads(minillm("check", "1", file, "--json", "--seed", "5")[1])
    assert [task["message"] for task in again["tasks"]] == [
        task["message"] for task in report["tasks"]
    ]


def judged(text, tmp_path, seconds=2.0):
    file = tmp_path / "exercise.py"
    file.write_text(text, encoding="utf-8")
    return {task["name"]: task for task in checking.check(FIRST.folder, file, 0, seconds)["tasks"]}


def test_an_endless_loop_ends_its_task_alone(tmp_path):
    solution = (FIRST.folder / "solution.py").read_text(encoding="utf-8")
    found = judged(
        solution + "\n\ndef pair_counts(words):\n    while True:\n        pass\n", tmp_path
    )
    assert found["pair_counts"]["status"] == "timeout" and found["train"]["status"] == "waits"
    assert "2 seconds" in found["pair_counts"]["message"]
    assert all(
        found[name]["status"] == "passed"
        for name in ("BYTES_PER_TOKEN", "merge", "encode", "decode")
    )


def test_what_leaves_or_crashes_ends_its_task_alone(tmp_path):
    solution = (FIRST.folder / "solution.py").read_text(encoding="utf-8")
    for body in (
        "import os; os._exit(0)",
        "import ctypes; ctypes.string_at(0)",
        "raise SystemExit",
    ):
        found = judged(solution + f"\n\ndef merge(word, pair, new):\n    {body}\n", tmp_path)
        assert found["merge"]["status"] == "error" and found["decode"]["status"] == "passed", body
        assert "returns its answer and ends nothing" in found["merge"]["message"], found["merge"][
            "message"
        ]


def test_an_error_names_the_line_of_the_reader_s_file(tmp_path):
    found = judged(
        "def merge(word, pair, new):\n    return [\n        word[99],\n    ]\n", tmp_path
    )
    assert (
        "raises IndexError" in found["merge"]["message"]
        and "(line 3 of your file)" in found["merge"]["message"]
    )


@pytest.mark.parametrize(
    "text, what",
    [
        ("def merge(:\n", "line 1: not Python yet"),
        ("x = 1 / 0\n", "division by zero (line 1 of your file)"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(text, what, tmp_path):
    with pytest.raises(UserError, match="exercise.py") as caught:
        judged(text, tmp_path)
    assert what in str(caught.value) and "\n" not in str(caught.value)


def test_a_library_that_is_not_there_fails_only_what_uses_it(tmp_path):
    text = "import no_such_module\n\n\ndef merge(word, pair, new):\n    return no_such_module.merge(word)\n"
    found = judged(text, tmp_path)
    assert (
        "ModuleNotFoundError" in found["merge"]["message"] and found["decode"]["status"] == "todo"
    )


def test_a_file_in_another_encoding_is_read_as_python_reads_it(tmp_path):
    file = tmp_path / "exercise.py"
    file.write_bytes(b"# coding: latin-1\n# caf\xe9\r\nx = 1\r\n")
    assert {task["status"] for task in checking.check(FIRST.folder, file, 0, 2.0)["tasks"]} <= {
        "todo",
        "waits",
    }
    (tmp_path / "exercise.txt").write_text("x = 1\n", encoding="utf-8")  # whatever its name
    assert {
        task["status"]
        for task in checking.check(FIRST.folder, tmp_path / "exercise.txt", 0, 2.0)["tasks"]
    } <= {"todo", "waits"}
    file.write_bytes(b"x = 'caf\xe9'\n")
    with pytest.raises(UserError, match="not Python yet"):
        checking.check(FIRST.folder, file, 0, 2.0)


def test_mistakes_of_the_command_are_one_line(minillm, tmp_path):
    for arguments in (
        ("check", "99"),
        ("open", "nothing", "--no-browser"),
        ("check", "1", tmp_path / "gone.py"),
    ):
        status, out, err = minillm(*arguments)
        assert (
            (status, out) == (2, "") and len(err.splitlines()) == 1 and err.startswith("minillm: ")
        ), err


def test_the_solution_comes_after_the_check(minillm, tmp_path):
    """Refused before all points, or shown with --show; then offered, with the next lesson and a
    comparison."""
    status, out, err = minillm("solution", "1")
    assert (status, out) == (2, "") and "--show" in err and len(err.splitlines()) == 1
    assert minillm("solution", "1", "--show")[0] == 0
    solution = (FIRST.folder / "solution.py").read_text(encoding="utf-8")
    own, _ = lessons.own_exercise(FIRST, tmp_path / "course")
    own.write_text(solution, encoding="utf-8")
    status, out, _ = minillm("check", "1")
    second = all_lessons()[1]
    for words in (
        "minillm lesson solution 1",
        "minillm lesson open 2",
        second.title,
        "minillm/text/tokenizer",
        f"1 of {len(all_lessons())}",
    ):
        assert words in out, words
    status, out, _ = minillm("solution", "1")
    assert (
        status == 0 and "def pair_counts(words):" in out and max(map(len, out.splitlines())) <= 80
    )
    assert f"1 of {len(all_lessons())} lessons complete" in minillm("list")[1]


def test_what_an_exercise_prints_is_shown_in_a_few_lines():
    text = "/tmp/box/the_exercise.py:30: RuntimeWarning: overflow\n" + "x\n" * 50
    shown = report.shortened(text).splitlines()
    assert shown[0] == "line 30 of your file: RuntimeWarning: overflow"
    assert len(shown) == 11 and shown[-1] == "... and 41 more lines"


def test_after_the_last_lesson_comes_what_next(capsys):
    assert "minillm pretrain" in lessons.next_step(all_lessons()[-1])


@pytest.mark.parametrize("name", [lesson.name for lesson in all_lessons()])
def test_every_lesson_has_a_discussion(name):
    """Its tasks are the exercise's, its functions the package's, and it is short."""
    lesson = find(name)
    discussion = solutions.read_discussion(lesson)
    assert (
        discussion.package.keys() <= {task for task, _ in lessons.tasks_of(lesson)}
        and discussion.package
    )
    for function in discussion.package.values():
        file, line, source = solutions.source_of(function)
        assert (ROOT / file).is_file() and line > 1 and solutions.code_lines(source) > 0
    assert 2 <= len(discussion.text.split("\n\n")) <= 5 and len(discussion.text) < 2000
    tests = lessons.load_module(lesson.folder / "test_exercise.py", "test_exercise")
    assert sorted(lessons.tasks_of(lesson)) == sorted(
        (task.name, task.points) for task in tests.TASKS
    )


def test_an_exercise_that_imports_the_package_is_refused(minillm, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import numpy as np\nfrom minillm.in_numpy.ops import softmax\n", encoding="utf-8"
    )
    status, out, err = minillm("check", "3", file)
    assert (
        (status, out) == (2, "") and "line 2 imports minillm" in err and len(err.splitlines()) == 1
    )


def test_a_lesson_has_many_names():
    assert {find(which).name for which in ("1", "01", "01_tokens", "tokens")} == {"01_tokens"}


def test_the_notebook(minillm, tmp_path):
    """Made from the same sources; a second one does not overwrite the first."""
    paths = []
    for _ in range(2):
        status, out, _ = minillm("notebook", "1")
        assert status == 0
        paths.append(Path(out.split(": ")[0]))
    assert paths[0] != paths[1] and all(path.exists() for path in paths)
    notebook = jupytext.read(paths[0])
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    for block in ("def pair_counts(words):", 'check_here("01_tokens")', "low low low"):
        assert any(block in source for source in code), block
    for task, _ in lessons.tasks_of(FIRST):
        place = next(
            i
            for i, source in enumerate(code)
            if f"def {task}(" in source or f"{task} = None" in source
        )
        assert f'check_here("01_tokens", "{task}")' in code[place + 1], (
            "a check under each function"
        )
    assert not any("def learn_merges" in source for source in code), (
        "source of the package is text, not a cell"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [lesson.name for lesson in all_lessons()])
def test_a_notebook_runs_from_top_to_bottom(name, tmp_path, monkeypatch):
    """With the stub as it is, and with the solution written into its cell."""
    from minillm.course.notebooks import write_notebook

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    lesson = find(name)
    notebook = nbformat.read(write_notebook(lesson, tmp_path), as_version=4)
    stub = next(
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.source.startswith('"""Exercise of')
    )
    for source, passed in (
        (stub.source, False),
        ((lesson.folder / "solution.py").read_text(encoding="utf-8"), True),
    ):
        stub.source = source
        if passed:
            last = max(
                i for i, cell in enumerate(notebook.cells) if "NotImplementedError" in cell.source
            )
            notebook.cells = [
                cell
                for i, cell in enumerate(notebook.cells)
                if cell is stub or i > last or "NotImplementedError" not in cell.source
            ]
        done = nbclient.NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": str(tmp_path)}},
        ).execute()
        printed = "".join(output.get("text", "") for output in done.cells[-1].outputs)
        points, of = (
            int(n) for n in printed.partition(" points")[0].rsplit("\n", 1)[-1].split(" of ")
        )
        assert (points == of) is passed and (passed or points == 0), printed
