"""Promise: an assignment is handed out without its answers, honest mistakes are explained kindly, and what a stranger wrote is only ever read.

What needs no sandbox; submissions here are the test's own. Attacks: test_assignments_attacks.py.
"""

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

import minillm
from minillm.assignments import classroom, gradescope, gradescope_run, reports, sandbox, submissions, wheel, wire
from minillm.assignments.assignment import Assignment, Part, after_lateness, days_late, read_assignment
from minillm.assignments.box import Box
from minillm.assignments.grading import grade_lesson, read_lesson_key, seed_of
from minillm.assignments.making import make
from minillm.assignments.student import check, submit
from minillm.assignments.submissions import Submission
from minillm.cli import main
from minillm.course.lessons import all_lessons, find
from minillm.errors import UserError

WAY = "none" if sandbox.works("bubblewrap") else "bubblewrap"
LESSON = find("02")
SOLUTION = (LESSON.folder / "solution.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("assignment") / "hw"
    make("02", place, points="02=14,02.perplexity=3", due="2026-10-01T12:00+02:00", late=10, title="Counting <b>", way=WAY, say=lambda text: None)
    return place


@pytest.fixture(scope="module")
def key(made):
    return read_lesson_key(made / "key" / "lessons" / LESSON.name, read_assignment(made / "key").parts[0].points)


def graded(key, source, seconds=5.0):
    return {task["name"]: task for task in grade_lesson(key, source if isinstance(source, bytes) else source.encode(), 7, WAY, sandbox.Limits(seconds=seconds))}


# Handing out --------------------------------------------------------------------------------------------------------

def test_solutions_do_not_travel_with_the_handout(made):
    handout = {path.relative_to(made / "handout").as_posix(): path.read_bytes() for path in (made / "handout").rglob("*") if path.is_file()}
    assert set(handout) == {"README.md", "assignment.json", f"{LESSON.name}.py", f"checks/{LESSON.name}/test_exercise.py", wheel.NAME}
    with zipfile.ZipFile(io.BytesIO(handout.pop(wheel.NAME))) as files:
        assert "minillm/cli/dispatch.py" in files.namelist() and not [name for name in files.namelist() if "solution" in name or "mistakes" in name]
    secret = json.loads((made / "key" / "secret.json").read_text(encoding="utf-8"))["seed"].encode()
    for data in handout.values():
        assert secret not in data and SOLUTION.encode()[40:200] not in data
    assert handout[f"{LESSON.name}.py"].decode().replace("minillm assignment check", "minillm lesson check 2").split() == (
        (LESSON.folder / "exercise.py").read_text(encoding="utf-8").split())


@pytest.mark.slow
@pytest.mark.parametrize("name", [lesson.name for lesson in all_lessons()])
def test_each_lesson_can_be_handed_out(name, tmp_path):
    """The reference gets all points and the stub none, through the very pipes that grade; else `make` refuses."""
    make(name, tmp_path / "hw", per_student=True, way=WAY, say=lambda text: None)


def test_nothing_is_written_unless_the_reference_is_proved(tmp_path, monkeypatch):
    from minillm.assignments import making
    broken = tmp_path / "lessons" / LESSON.name
    broken.mkdir(parents=True)
    for path in LESSON.folder.glob("*.*"):
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "solution.py").write_text(SOLUTION.replace("np.exp(nats)", "np.exp(nats) + 1"), encoding="utf-8")
    from minillm.course.lessons import read_lesson
    monkeypatch.setattr(making, "find", lambda which: read_lesson(broken))
    with pytest.raises(UserError, match="the reference does not pass perplexity"):
        make("02", tmp_path / "hw", way=WAY, say=lambda text: None)
    assert not (tmp_path / "hw").exists()


@pytest.mark.parametrize("options, what", [
    ({"lessons": "99"}, "99"), ({"lessons": "02,2"}, "--lessons"), ({"lessons": ""}, "--lessons"), ({"points": "03=4"}, "--points"), ({"points": "02.none=1"}, "--points"),
    ({"points": "02=-1"}, "--points"), ({"points": "02=2O"}, "2O is no number"), ({"points": "02=nan"}, "--points"), ({"points": "02=0"}, "--points"), ({"due": "tomorrow"}, "--due"), ({"late": 101}, "--late"), ({"seconds": 0}, "--seconds"),
    ({"install": "it's"}, "--install")])
def test_impossible_wishes_are_refused_by_name(options, what, tmp_path):
    with pytest.raises(UserError, match=what):
        make(**{"lessons": "02", "out": tmp_path / "hw", "say": lambda text: None, "way": WAY} | options)
    assert not (tmp_path / "hw").exists()


def test_points_are_shared_as_asked(made):
    assignment = read_assignment(made / "handout")
    assert assignment.of == 15 and assignment.parts[0].points["perplexity"] == 3 and assignment.parts[0].points["cross_entropy"] == 4


def test_a_key_is_no_handout_and_a_handout_no_key(made, capsys):
    assert main(["assignment", "check", str(made / "key")]) == 2
    assert main(["assignment", "grade", str(made), "--key", str(made / "handout"), "--out", str(made / "x")]) == 2
    assert "secret.json" in capsys.readouterr().err


# For students -------------------------------------------------------------------------------------------------------

def test_check_and_submit(made, tmp_path, capsys):
    import shutil
    folder = shutil.copytree(made / "handout", tmp_path / "work")
    assert check(folder) == 1
    assert "hidden checks" in capsys.readouterr().out
    (folder / f"{LESSON.name}.py").write_text(SOLUTION.replace("np.exp(nats)", "2.0**nats"), encoding="utf-8")
    assert check(folder) == 1
    said = capsys.readouterr().out
    assert "12 of 15 points by the public checks" in said and "12 of 15 points  (--seed" in said and "cross_entropy  4 of 4" in said, "the points of the handout"
    check(folder, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert {task["name"]: task["points"] for task in report["parts"][0]["tasks"]} == read_assignment(folder).parts[0].points and report["parts"][0]["points"] == 12
    for wrong, what in (("2.none", "it has PERPLEXITY"), ("03.softmax", "no such lesson")):
        with pytest.raises(UserError, match=what):
            check(folder, only=wrong)
    assert check(folder, only="02.cross_entropy") == 0 and check(folder, only="02_counting.perplexity") == 1
    (folder / f"{LESSON.name}.py").write_text(SOLUTION.replace("PERPLEXITY = 2**2.25", "PERPLEXITY = None").replace("return np.exp(nats)", "raise NotImplementedError"), encoding="utf-8")
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


def test_check_tells_a_lost_name_and_what_becomes_of_tasks_that_wait(tmp_path, capsys):
    make("03", tmp_path / "hw", way=WAY, say=lambda text: None)
    solution = (find("03").folder / "solution.py").read_text(encoding="utf-8")
    (tmp_path / "hw" / "handout" / "03_attention.py").write_text(solution.replace("def masked", "def mask"), encoding="utf-8")
    assert check(tmp_path / "hw") == 1
    said = capsys.readouterr().out
    assert "there is no masked in the file" in said and "waits for masked" in said and "the reference stands in" in said
    assert check(tmp_path / "hw", only="3.softmax") == 0
    assert "the reference stands in" not in capsys.readouterr().out


def test_a_file_that_is_not_python_is_warned_about_before_it_is_handed_in(made, tmp_path, capsys):
    import shutil
    folder = shutil.copytree(made / "handout", tmp_path / "work")
    (folder / f"{LESSON.name}.py").write_text("def f(:\n", encoding="utf-8")
    assert check(folder) == 1
    submit(folder, "ada")
    assert "not Python yet" in capsys.readouterr().out


# Honest failures ----------------------------------------------------------------------------------------------------

def replaced(old, new):
    assert old in SOLUTION
    return SOLUTION.replace(old, new)


PROBABILITIES = "return smoothed / smoothed.sum(axis=1, keepdims=True)"
KIND = {
    "none": ("bigram_probabilities", replaced(PROBABILITIES, "smoothed / smoothed.sum(axis=1, keepdims=True)"), "return at the end"),
    "shape": ("bigram_probabilities", replaced(PROBABILITIES, "return (smoothed / smoothed.sum(axis=1, keepdims=True))[:, :, None]"), "shape"),
    "dtype": ("bigram_probabilities", replaced(PROBABILITIES, "return str(smoothed)"), "text where an array of numbers is right"),
    "nan": ("bigram_probabilities", replaced(PROBABILITIES, "return smoothed * np.nan"), "NaN"),
    "inf": ("perplexity", replaced("return np.exp(nats)", "return np.inf"), "inf"),
    "exception": ("perplexity", replaced("return np.exp(nats)", "return np.exp(nat)"), "NameError: name 'nat' is not defined (line"),
    "time": ("perplexity", replaced("return np.exp(nats)", "while True: pass"), "took too long"),
    "exit": ("perplexity", replaced("return np.exp(nats)", "import os; os._exit(0)"), "ended the whole program"),
    "missing": ("perplexity", replaced("def perplexity", "def perplexty"), "there is no perplexity in your file"),
    "todo": ("perplexity", replaced("return np.exp(nats)", "raise NotImplementedError"), "not written yet"),
    "number": ("PERPLEXITY", replaced("PERPLEXITY = 2**2.25", "PERPLEXITY = 7"), "Work it out again"),
    "value": ("perplexity", replaced("return np.exp(nats)", "return np.exp(nats) + 0.01"), "wrong on 21 of 21 inputs"),
    "precision": ("bigram_probabilities", replaced(PROBABILITIES, "smoothed = smoothed.astype(np.float32)\n    return (smoothed / smoothed.sum(axis=1, keepdims=True)).astype(float)"), "float32"),
}


@pytest.mark.parametrize("kind", KIND)
def test_an_honest_failure_is_told_kindly_and_costs_one_task(kind, key):
    name, source, says = KIND[kind]
    found = graded(key, source, seconds=1.0 if kind == "time" else 5.0)
    assert found[name]["kind"] == kind and says in found[name]["message"], found[name]
    assert {task for task in found if found[task]["status"] != "passed"} == {name}, found


@pytest.mark.parametrize("written, says", [("'9.51'", "text"), ("[9, 51]", "a list"), ("len", "an object")])
def test_what_is_no_number_is_not_called_a_wrong_number(written, says, key):
    found = graded(key, replaced("PERPLEXITY = 2**2.25", f"PERPLEXITY = {written}"))["PERPLEXITY"]
    assert found["kind"] == "dtype" and says in found["message"] and "where a number is asked for" in found["message"], found


def test_an_array_for_a_number_and_a_question_that_nobody_answers(key):
    found = graded(key, replaced("return np.exp(nats)", "return np.exp(nats),"))["perplexity"]
    assert found["kind"] == "shape" and "where a single number is right" in found["message"]
    assert "nobody answers input()" in graded(key, SOLUTION + "\nn = input()\n")["perplexity"]["message"]


def test_what_a_submission_prints_is_kept_for_the_teacher(key):
    found = graded(key, "print('while it is read')\n" + replaced("return np.exp(nats)", "print('while it is asked')\n    return np.exp(nats)"))
    assert all("while it is read\n" in task["printed"] and "while it is asked\n" in task["printed"] for task in found.values())
    assert "before it ends" in graded(key, "print('before it ends')\n1 / 0\n")["perplexity"]["printed"]


def test_lower_precision_is_told_as_such(key):
    found = graded(key, replaced(PROBABILITIES, "return (smoothed / smoothed.sum(axis=1, keepdims=True)).astype(np.float32)"))
    assert found["bigram_probabilities"]["kind"] == "dtype" and "float64" in found["bigram_probabilities"]["message"]


@pytest.mark.parametrize("source, kind, says", [
    ("x = 1\ndef f(:\n", "syntax", "line 2"), (SOLUTION + "\n1 / 0\n", "import", "ZeroDivisionError"), ("import torch\n", "import", "torch"), (b"\xff\xfe\x00", "syntax", "not Python yet")])
def test_a_file_that_cannot_be_run_is_told_once_for_all_its_tasks(source, kind, says, key):
    found = graded(key, source)
    assert {task["kind"] for task in found.values()} == {kind} and all(says in task["message"] and not task["earned"] for task in found.values())


def test_the_reference_stands_in_for_what_is_not_right(tmp_path):
    """Lesson 03: softmax is wrong, and everything after it stands; the reference is not where the submission runs."""
    lesson = find("03")
    key = read_lesson_key(lesson.folder, {task: 1 for task in ("SECOND", "scores", "masked", "softmax", "attention", "split_heads", "grouped_attention")})
    source = (lesson.folder / "solution.py").read_text(encoding="utf-8").replace("return e / np.sum(e, axis=-1, keepdims=True)", "return e")
    peeking = source + """
def attention(q, k, v):
    import os, sys
    cells = [repr(cell.cell_contents) for cell in softmax.__closure__]
    files = sorted(os.listdir(os.path.dirname(os.path.abspath(__file__))))
    if len(cells) != 2 or cells[0] != "<an object>" or not cells[1].startswith("<function put_back") or files != ["child.py", "peer.py", "the_exercise.py", "wire.py"] or "minillm" in sys.modules:
        return None
    return softmax(masked(scores(q, k))) @ v
"""
    found = graded(key, peeking)
    assert [name for name in found if found[name]["status"] != "passed"] == ["softmax"], found
    assert found["attention"]["helped"] == ["softmax"] and found["scores"]["helped"] == []


def test_a_stand_in_gains_nothing_for_its_own_task():
    """Whoever leaves softmax out to be given the reference's, and hides it, is still without it where softmax counts."""
    lesson = find("03")
    key = read_lesson_key(lesson.folder, {task: 1 for task in ("SECOND", "scores", "masked", "softmax", "attention", "split_heads", "grouped_attention")})
    source = (lesson.folder / "solution.py").read_text(encoding="utf-8") + """
import builtins, os
def softmax(x):
    kept = getattr(builtins, "kept", None)
    if kept is None:
        raise ValueError
    return kept(x)
def attention(q, k, v):
    import sys
    builtins.kept = sys.modules[__name__].softmax
    return softmax(masked(scores(q, k))) @ v
"""
    found = graded(key, source)
    assert [name for name in found if found[name]["status"] != "passed"] == ["softmax"], found


def test_what_differs_from_run_to_run_is_not_in_a_result():
    """Lesson 05 is handed a function, whose address would be in the detail of what failed."""
    lesson = find("05")
    key = read_lesson_key(lesson.folder, dict.fromkeys(("PARAMETERS", "rmsnorm", "mlp", "block", "forward", "count"), 1))
    found = graded(key, (lesson.folder / "solution.py").read_text(encoding="utf-8") + "\ndef block(layer, x, attention, eps):\n    print(attention)\n    return x\n")
    assert "attention" in found["block"]["detail"] and not any(" at 0x" in str(task) for task in found.values())


def test_seeds_come_from_the_key_and_the_name():
    assert seed_of("k", None) == seed_of("k", None) != seed_of("l", None)
    assert len({seed_of("k", None), seed_of("k", "a"), seed_of("k", "b"), seed_of("k", "\udcff")}) == 4


# What is read of strangers' files -----------------------------------------------------------------------------------

VALUES = [None, True, 3, -2**200, 1.5, float("inf"), "né\ud800", b"\x00\xff", [1, [2.0]], (1, "a"), {(1, 2): 3, "x": [None]}, {1, 2}, frozenset({b"a"}), 1 + 2j,
          np.arange(6.0).reshape(2, 3), np.zeros((0, 3), np.int8), np.float32(2.5), np.array(True), np.arange(6).reshape(2, 3).T, [np.zeros(2), {"a": np.ones(1, np.uint64)}]]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:30].encode("ascii", "replace").decode())
def test_plain_values_travel_as_they_are(value):
    back = wire.unpack(wire.pack(value, None), None, None)
    assert type(back) is type(value)
    np.testing.assert_equal(back, value)
    if isinstance(value, np.ndarray):
        assert back.dtype == value.dtype


def test_generators_of_random_numbers_travel():
    rng = np.random.default_rng(3)
    assert wire.unpack(wire.pack(rng, None), None, None).random() == rng.random()


def archive_of(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", members.pop("compression", zipfile.ZIP_STORED)) as made:
        for name, data in members.items():
            made.writestr(f"{name}.npy", data)
    return file.getvalue()


def npy(array, **header):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array) | header)
    return file.getvalue() + array.tobytes()


TREE = npy(np.frombuffer(b'{"a": 0}', np.uint8))
HOSTILE = {
    "nothing": b"", "noise": b"PK" + bytes(range(200)), "no tree": archive_of(a0=npy(np.zeros(2))), "not JSON": b"{", "deep": b'{"l":[' * 50_000, "unknown": b'{"x": 1}', "bare list": b"[1]",
    "a pickle": archive_of(tree=TREE, a0=b"\x80\x04K\x01."), "objects": archive_of(tree=TREE, a0=npy(np.zeros(1), descr="|O")), "a giant": archive_of(tree=TREE, a0=npy(np.zeros(1), shape=(10**12,))),
    "negative": archive_of(tree=TREE, a0=npy(np.zeros(1), shape=(-1,))), "wraps": archive_of(tree=TREE, a0=npy(np.zeros(0), shape=(2**32, 2**32))), "text": archive_of(tree=TREE, a0=npy(np.array(["a"]))),
    "dates": archive_of(tree=TREE, a0=npy(np.array(["2020"], "M8[Y]"))), "no array": archive_of(tree=TREE), "compressed": archive_of(tree=TREE, a0=npy(np.zeros(10**6)), compression=zipfile.ZIP_DEFLATED),
    "huge int": b"9" * 5000, "int of 1001 bits": json.dumps(2**1001).encode(), "unhashable": b'{"d": [[{"l": []}, 1]]}', "odd pair": b'{"d": [[1]]}', "many": b'{"l":[' + b"1," * 300_000 + b"1]}",
    "as nothing": archive_of(tree=npy(np.frombuffer(b'{"a": 0, "as": "object"}', np.uint8)), a0=npy(np.zeros(1))), "long texts": json.dumps({"l": ["x" * 10_000, *[1] * 10_000]}).encode(),
    "rng": json.dumps({"rng": {"bit_generator": "PCG64", "state": {"state": "x", "inc": 1}, "has_uint32": 0, "uinteger": 0}}).encode(), "base64": b'{"b": "*"}'}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
def test_whatever_else_comes_is_refused(payload):
    with pytest.raises(wire.Refused):
        wire.unpack(payload, lambda number, iterator: None, lambda number: None)


def test_noise_is_refused_or_read(subtests=None):
    rng = np.random.default_rng(5)
    good = wire.pack({"x": np.arange(5.0), "y": [1, b"a"]}, None)
    for _ in range(500):
        bad = bytearray(good)
        for place in rng.integers(0, len(bad), rng.integers(1, 6)):
            bad[place] = rng.integers(256)
        try:
            wire.unpack(bytes(bad), None, None)
        except wire.Refused:
            pass


def test_only_the_named_files_are_read(tmp_path):
    folder = tmp_path / "s"
    for student, name in (("a", "02.py"), ("b", "inner/02.py"), ("c", "other.py"), (".hidden", "02.py"), ("__MACOSX", "02.py"), ("f", "x/y/02.py"), ("g", "x/02.py"),
                          ("g", "y/02.py"), ("h", "1/2/3/4/5/6/02.py"), ("i", "02.py"), ("i", "old/02.py"), ("j", ".git/02.py")):
        path = folder / student / name
        path.parent.mkdir(parents=True)
        path.write_bytes(student.encode())
    with zipfile.ZipFile(folder / "d.zip", "w") as archive:
        archive.writestr("hw/02.py", "d")
        archive.writestr("../02.py", "evil")
        archive.writestr("__MACOSX/02.py", "junk")
    for student, names in {"k": ("hw/ada/02.py",), "l": ("x/02.py", "y/02.py"), "m": ("02.py", "old/02.py"), "n": ("1/2/3/4/5/6/02.py",), "o": ("x/../02.py",)}.items():
        with zipfile.ZipFile(folder / f"{student}.zip", "w") as archive:
            for name in names:
                archive.writestr(name, name)
    (folder / "e.zip").write_bytes(b"PK no")
    (folder / "readme.md").write_text("hi", encoding="utf-8")
    found = {s.student: (s.files, s.problems) for s in submissions.collect(folder, ["02.py"])}
    assert found == {"a": ({"02.py": b"a"}, {}), "b": ({"02.py": b"b"}, {}), "c": ({}, {"02.py": "it is missing; handed in: other.py"}), "d": ({"02.py": b"d"}, {}),
                     "e": ({}, {"02.py": "the archive cannot be read (BadZipFile)"}), "f": ({"02.py": b"f"}, {}), "g": ({}, {"02.py": "it is in several folders"}),
                     "h": ({}, {"02.py": "it is missing"}), "i": ({"02.py": b"i"}, {}), "j": ({}, {"02.py": "it is missing"}), "k": ({"02.py": b"hw/ada/02.py"}, {}),
                     "l": ({}, {"02.py": "it is in the archive more than once"}), "m": ({"02.py": b"02.py"}, {}), "n": ({}, {"02.py": "it is missing"}),
                     "o": ({}, {"02.py": "it is missing"})}
    said = []
    submissions.collect(folder, ["02.py"], said.append)
    assert len(said) == 1 and "readme.md" in said[0] and "e.zip" not in said[0], "what is no submission is named"
    (folder / "A.zip").write_bytes(b"")
    with pytest.raises(UserError, match="one student"):
        submissions.collect(folder, ["02.py"])


def test_an_archive_in_a_student_s_folder_is_read_where_the_files_are_not_beside_it(tmp_path):
    for student, archives, beside in (("Ada_17_file", ["work.zip"], []), ("two", ["a.zip", "b.zip"], []), ("both", ["old.zip"], ["02.py"])):
        (tmp_path / student).mkdir()
        for name in archives:
            with zipfile.ZipFile(tmp_path / student / name, "w") as archive:
                archive.writestr("02.py", "zipped")
        for name in beside:
            (tmp_path / student / name).write_text("beside", encoding="utf-8")
    found = {s.student: (s.files, s.problems) for s in submissions.collect(tmp_path, ["02.py"])}
    assert found == {"Ada_17_file": ({"02.py": b"zipped"}, {}), "both": ({"02.py": b"beside"}, {}), "two": ({}, {"02.py": "it is missing; handed in: a.zip, b.zip"})}


def test_what_was_handed_in_under_another_name_is_named(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "02 (1).py").write_text("", encoding="utf-8")
    (tmp_path / "a" / "x\x1b.py").write_text("", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("hw/O2.py", "")
        archive.writestr("03.py", "")
    told = {s.student: s.problems for s in submissions.collect(tmp_path, ["02.py", "03.py"])}
    assert told == {"a": {name: "it is missing; handed in: 02 (1).py, x\\x1b.py" for name in ("02.py", "03.py")}, "b": {"02.py": "it is missing; handed in: O2.py"}}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="links and pipes of Unix")
def test_links_pipes_and_large_files_are_not_read(tmp_path):
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    folder = tmp_path / "s"
    for student in "abcd":
        (folder / student).mkdir(parents=True)
    (folder / "a" / "02.py").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "b" / "02.py")
    (folder / "c" / "02.py").write_bytes(b"#" * (submissions.LARGEST + 1))
    (folder / "d" / "02.py").mkdir()
    (folder / "e").symlink_to(tmp_path)
    for found in submissions.collect(folder, ["02.py"]):
        assert not found.files and found.problems["02.py"], found


# Reports ------------------------------------------------------------------------------------------------------------

NASTY = ["=HYPERLINK(\"http://x\")", "+1", "-1+1", "@SUM(A1)", "  =1", "\t=1", "a,b\"c\n=1", "<script>alert(1)</script>", "‮evil", "\x1b[2J", "É. Ñandú", "\udcff", "%0A"]


@pytest.fixture
def class_of_nasty_names():
    assignment = Assignment("T <i>", [Part("02_counting", "A & B", {"f": 2, "g": 1}, {"f": "x", "g": "y"})], "2026-10-01T12:00+00:00", 10)
    def task(name, status, earned, message):
        return {"name": name, "status": status, "kind": status, "hint": "h<i>" if status == "failed" else None, "message": message, "detail": "right is <b>7</b>", "points": 2 if name == "f" else 1,
                "earned": earned, "helped": ["f"] if name == "g" else [], "printed": "<img src=x onerror=alert(1)>\x1b[2J"}
    results = [{"student": name, "earned": 1, "of": 3, "parts": [{"name": "02_counting", "title": "A & B", "earned": 1, "of": 3, "tasks": [
        task("f", "failed", 0, f"says {name}"), task("g", "passed", 1, "")]}]} for name in NASTY]
    return assignment, results


def test_no_name_becomes_a_formula_or_a_script(class_of_nasty_names, tmp_path):
    assignment, results = class_of_nasty_names
    reports.write_all(tmp_path, assignment, results, {})
    rows = list(csv.reader(io.StringIO((tmp_path / "grades.csv").read_text(encoding="utf-8"))))
    assert len(rows) == len(NASTY) + 1 and all(len(row) == len(rows[0]) for row in rows)
    for row in rows[1:]:
        assert row[0].lstrip()[0] not in "=+-@%|" and row[0].isprintable() and row[1:3] == ["1", "3"]
    assert len(list((tmp_path / "students").iterdir())) == 2 * len(NASTY)
    for path in tmp_path.rglob("*.*"):
        text = path.read_bytes().decode("utf-8")
        if path.suffix == ".html":
            assert not any(tag in text for tag in ("<script", "<img", "<i>", "<b>")) and "default-src 'none'" in text
        if path.suffix in (".html", ".txt"):
            assert "\x1b" not in text and "‮" not in text
        if path.parent.name == "students":
            assert "right is" not in text and "onerror" not in text
    assert "What went wrong" in (tmp_path / "class.html").read_text(encoding="utf-8")


def test_what_is_said_of_a_whole_file_is_said_once(tmp_path):
    assignment = Assignment("T", [Part("02_counting", "A", {"f": 2, "g": 1}, {})])
    task = {"status": "error", "kind": "syntax", "hint": None, "message": "not Python", "detail": "", "earned": 0, "helped": [], "printed": ""}
    result = {"student": "ada", "earned": 0, "of": 3, "parts": [{"name": "02_counting", "title": "A", "earned": 0, "of": 3,
                                                               "tasks": [task | {"name": "f", "points": 2}, task | {"name": "g", "points": 1}]}]}
    reports.write_all(tmp_path, assignment, [result], {})
    for path in ("students/ada.txt", "students/ada.html", "class.html"):
        assert (tmp_path / path).read_text(encoding="utf-8").count("not Python") == (2 if path == "class.html" else 1), path       # there also among what went wrong
    assert "(syntax): the file is not Python" in (tmp_path / "class.txt").read_text(encoding="utf-8")
    result["parts"][0]["tasks"][1] |= {"message": "another", "kind": "value"}
    reports.write_all(tmp_path, assignment, [result], {})
    text = (tmp_path / "students" / "ada.txt").read_text(encoding="utf-8")
    assert "not Python" in text and "another" in text
    assert "(value): no known misconception: g" in (tmp_path / "class.txt").read_text(encoding="utf-8"), "with its task"


def test_pages_of_who_is_not_in_the_class_any_more_go_and_nothing_else(class_of_nasty_names, tmp_path):
    assignment, results = class_of_nasty_names
    (tmp_path / "results").mkdir()
    for result in results:
        (tmp_path / "results" / f"{classroom.slug(result['student'])}.json").write_text("{}", encoding="utf-8")
    assert reports.write_all(tmp_path, assignment, results, {}) == []
    (tmp_path / "students" / "my notes.txt").write_text("mine", encoding="utf-8")
    assert reports.write_all(tmp_path, assignment, results[1:], {}) == [NASTY[0]]
    left = {path.name for path in (tmp_path / "students").iterdir()}
    assert left == {"my notes.txt"} | {classroom.slug(name) + kind for name in NASTY[1:] for kind in (".txt", ".html")}
    assert len(list((tmp_path / "results").iterdir())) == len(NASTY)
    assert reports.write_all(tmp_path, assignment, results[1:], {}) == []


def test_imports_that_the_grader_has_not_are_warned_about(made, tmp_path, capsys):
    import shutil
    folder = shutil.copytree(made / "handout", tmp_path / "work")
    (folder / f"{LESSON.name}.py").write_text("import math\nfrom minillm.in_numpy import ops\nimport numpy.linalg\n" + SOLUTION, encoding="utf-8")
    assert check(folder) == 0
    said = capsys.readouterr().out
    submit(folder, "ada")
    for text in (said, capsys.readouterr().out):
        assert "imports minillm, which is not there when it is graded" in text
    (folder / f"{LESSON.name}.py").write_text(SOLUTION, encoding="utf-8")
    submit(folder, "ada")
    assert "WARNING" not in capsys.readouterr().out


def test_the_result_of_a_far_function_is_waited_for_as_jax_s_are():
    """np.asarray(f(x)) asks the grader for the array; a function stays an object, and of nothing else is an array made."""
    class Later:
        def __array__(self, dtype=None, copy=None):
            return np.arange(3.0)

    file = b"import numpy as np\ndef f(make, other):\n    return np.asarray(make()), np.asarray(make(), np.float32).dtype.name, np.asarray(other).dtype.kind\n"
    with Box({"f.py": file}, WAY, sandbox.Limits()) as box:
        box.give(20)
        module = box.peer.request("load", box.file("f.py"), {})
        array, dtype, kind = box.peer.request("get", module, "f")(Later, print)
    np.testing.assert_array_equal(array, np.arange(3.0))
    assert (dtype, kind) == ("float32", "O")


def test_names_of_files_are_different_for_different_students():
    names = [*NASTY, "..", ".", "a/b", "a" * 300, "a" * 301, "É" * 100]
    slugs = {classroom.slug(name) for name in names}
    assert len(slugs) == len(names) and all(len(s) < 200 and "/" not in s and "\n" not in s for s in slugs)


@pytest.mark.parametrize("handed_in, days, left", [
    (None, 0, 10), ("2026-10-01T12:00Z", 0, 10), ("2026-10-01T12:14Z", 0, 10), ("2026-10-01T14:10+02:00", 0, 10), ("2026-10-01T12:16Z", 1, 9), ("2026-10-02T12:20Z", 2, 8), ("2027-01-01", 92, 0)])
def test_lateness(handed_in, days, left):
    assignment = Assignment("t", [Part("02_x", "x", {"f": 10}, {})], "2026-10-01T12:00+00:00", 10)
    assert days_late(assignment, handed_in) == days and after_lateness(assignment, 10, days) == left


# Gradescope ---------------------------------------------------------------------------------------------------------

TOP = {"score": (int, float), "execution_time": int, "output": str, "output_format": str, "test_output_format": str, "test_name_format": str, "visibility": str, "stdout_visibility": str,
       "extra_data": dict, "tests": list, "leaderboard": list}
TEST = {"score": (int, float), "max_score": (int, float), "status": str, "name": str, "name_format": str, "number": str, "output": str, "output_format": str, "tags": list, "visibility": str,
        "extra_data": dict}


def as_documented(results):
    """The fields and values of https://gradescope-autograders.readthedocs.io/en/latest/specs/."""
    for name, value in results.items():
        assert isinstance(value, TOP[name]), name
    for test in results["tests"]:
        for name, value in test.items():
            assert isinstance(value, TEST[name]), name
        assert test["status"] in ("passed", "failed") and test["visibility"] in ("hidden", "after_due_date", "after_published", "visible")
        assert 0 <= test["score"] <= test["max_score"] and test["output_format"] in ("text", "html", "simple_format", "md", "ansi")
    for row in results.get("leaderboard", []):
        assert set(row) <= {"name", "value", "order"} and row.get("order", "desc") in ("asc", "desc")
    assert results["visibility"] in ("hidden", "after_due_date", "after_published", "visible") and results["stdout_visibility"] == "hidden"


@pytest.mark.skipif(os.name == "nt", reason="Gradescope runs Linux")
def test_the_archive_in_a_folder_laid_out_like_gradescope_s(made, tmp_path, monkeypatch):
    archive = gradescope.write(made, visibility="after_due_date", leaderboard=True, say=lambda text: None)
    root = tmp_path / "autograder"
    with zipfile.ZipFile(archive) as files:
        assert {"setup.sh", "run_autograder"} <= set(files.namelist()) and all(files.getinfo(n).external_attr >> 16 & 0o111 for n in ("setup.sh", "run_autograder"))
        assert not [name for name in files.namelist() if "mistakes" in name or name.startswith("/") or ".." in name]
        files.extractall(root / "source")
    (root / "run_autograder").write_bytes((root / "source" / "run_autograder").read_bytes())
    (root / "run_autograder").chmod(0o755)
    for script in ("setup.sh", "run_autograder"):
        subprocess.run(["bash", "-n", str(root / "source" / script)], check=True)
    assert "numpy==" in (root / "source" / "requirements.txt").read_text(encoding="utf-8")
    (root / "submission").mkdir()
    (root / "submission" / f"{LESSON.name}.py").write_text(replaced("return np.exp(nats)", "return 2.0**nats"), encoding="utf-8")
    (root / "submission_metadata.json").write_text(json.dumps({"created_at": "2026-10-02T14:00:00.000000-05:00", "assignment": {"due_date": "2026-10-01T12:00:00.000000-05:00"},
                                                               "users": [{"email": "ada@x.org", "assignment": {"due_date": "2026-10-02T12:00:00.000000-05:00"}}]}), encoding="utf-8")
    if WAY == "bubblewrap":                                   # as Gradescope starts it, but for the virtual environment, which setup.sh makes
        (root / "venv" / "bin").mkdir(parents=True)
        (root / "venv" / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
        (root / "venv" / "bin" / "python").chmod(0o755)
        ended = subprocess.run([str(root / "run_autograder")], capture_output=True, text=True, cwd=root)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    else:
        monkeypatch.setattr(sandbox, "choose", lambda *_: WAY)
        gradescope_run.main(root)
    results = json.loads((root / "results" / "results.json").read_text(encoding="utf-8"))
    as_documented(results)
    assert sum(test["score"] for test in results["tests"]) == 12 and results["score"] == 10.8      # one day late
    assert len(results["leaderboard"]) == 2 and {test["visibility"] for test in results["tests"]} == {"after_due_date"}
    failed = [test for test in results["tests"] if test["status"] == "failed"]
    assert [test["number"] for test in failed] == ["2.5"] and "base" in failed[0]["tags"]


def installs(place) -> set[str]:
    """Every command of the handout's README and of both workflows that installs something."""
    readme = (place / "handout" / "README.md").read_text(encoding="utf-8")
    tests = json.loads((place / "classroom50" / "tests.json").read_text(encoding="utf-8"))["tests"]
    workflow = yaml.safe_load((place / "github" / "check.yml").read_text(encoding="utf-8"))
    found = {line.strip() for line in readme.splitlines() if "pip install" in line}
    return found | {test["setup"] for test in tests} | {step["run"].strip() for step in workflow["jobs"]["check"]["steps"] if "pip" in step.get("run", "")}


def test_students_install_the_file_they_are_given_or_what_the_teacher_names(made, tmp_path, monkeypatch):
    """README and workflows say the same; nothing but the handout and the index's packages is needed."""
    from minillm.assignments import making
    monkeypatch.setattr(gradescope, "requirements", lambda key: "")
    monkeypatch.setattr(making, "prove", lambda *_: [])
    gradescope.write(made, say=lambda text: None)
    assert installs(made) == {f"pip install ./{wheel.NAME}"} and (made / "handout" / wheel.NAME).is_file()
    make("02", tmp_path / "hw", install="ours @ https://x.org/a.whl", way="none", say=lambda text: None)
    gradescope.write(tmp_path / "hw", say=lambda text: None)
    assert installs(tmp_path / "hw") == {'pip install "ours @ https://x.org/a.whl"'}
    assert not list((tmp_path / "hw" / "handout").glob("*.whl"))


def test_an_assignment_is_made_where_no_sandbox_works(tmp_path, monkeypatch):
    """Only the reference and the stub run then; a way that was asked for by name is still refused."""
    monkeypatch.setattr(sandbox, "works", lambda way, *_: "not here" if way != "none" else "")
    make("02", tmp_path / "hw", say=lambda text: None)
    assert json.loads((tmp_path / "hw" / "key" / "proof.json").read_text(encoding="utf-8"))["sandbox"] == "none"
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
    assert tests["schema"] == "classroom50/tests/v1" and sum(test["points"] for test in tests["tests"]) == 15
    for test in tests["tests"]:
        assert set(test) == {"name", "type", "setup", "run", "timeout", "points"} and test["type"] == "run" and isinstance(test["points"], int) and test["setup"] == "pip install our-minillm==1.0"
    workflow = yaml.safe_load((made / "github" / "check.yml").read_text(encoding="utf-8"))
    assert [step.get("run") for step in workflow["jobs"]["check"]["steps"]][-2:] == ["pip install our-minillm==1.0\n", "minillm assignment check ."]


def test_a_worker_that_ends_costs_one_submission(made, monkeypatch):
    """Should an answer bring down the process that compares, the class goes on, and the teacher is told."""
    with classroom.Worker(made / "key", WAY) as worker:
        monkeypatch.setattr(worker, "send", lambda job: worker.process.kill())
        result = worker.grade(Submission("ada", {f"{LESSON.name}.py": b""}, {}))
    assert result["earned"] == 0 and {task["kind"] for task in result["parts"][0]["tasks"]} == {"grader"}


def test_two_graders_do_not_write_one_folder(tmp_path):
    with classroom.only_one(tmp_path / "lock"), pytest.raises(UserError, match="another grader"):
        with classroom.only_one(tmp_path / "lock"):
            pass


def test_without_a_sandbox_nothing_is_run_unless_asked_for(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sandbox, "works", lambda way, *_: "not here")
    (tmp_path / "s" / "ada").mkdir(parents=True)
    assert main(["assignment", "grade", str(tmp_path / "s"), "--key", str(made), "--out", str(tmp_path / "out")]) == 2
    assert "no submission is run here" in capsys.readouterr().err
    monkeypatch.setattr(sandbox, "works", lambda way, *_: "" if way == "none" else "not here")
    assert main(["assignment", "grade", str(tmp_path / "s"), "--key", str(made), "--out", str(tmp_path / "out"), "--sandbox", "none"]) == 0
    assert "WARNING" in capsys.readouterr().out


def test_the_student_s_side_imports_nothing_of_minillm():
    """What goes into the sandbox needs NumPy and itself alone."""
    import ast
    from minillm.assignments.box import FILES
    for name in FILES:
        tree = ast.parse((Path(minillm.__file__).parent / "assignments" / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            assert "minillm" not in [alias.name.partition(".")[0] for alias in getattr(node, "names", ()) if isinstance(node, ast.Import)]
            assert not (isinstance(node, ast.ImportFrom) and node.level)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("minillm"):
                assert (name, node.module) == ("peer.py", "minillm.assignments.wire"), "which is beside it there"


def test_a_handout_names_its_own_command(made):
    stub = next((made / "handout").glob("*.py")).read_text(encoding="utf-8")
    assert "minillm assignment check" in stub and "minillm lesson check" not in stub


def test_grades_of_another_assignment_are_not_overwritten(made, tmp_path):
    results = tmp_path / "grades" / "results"
    results.mkdir(parents=True)
    (results / "ada.json").write_text(json.dumps({"student": "ada", "key": "0", "parts": [{"name": "99_none"}]}), encoding="utf-8")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ada.py").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="another assignment"):
        classroom.grade(tmp_path / "in", made / "key", tmp_path / "grades", WAY, say=lambda text: None)
    assert not (tmp_path / "grades" / "grades.csv").exists()


def test_times_of_handing_in_are_checked_before_anything_is_graded(tmp_path):
    assignment, said = Assignment("t", [], due="2026-01-01T00:00+00:00", late=10.0), []
    times = tmp_path / "times.csv"
    times.write_text("student,time\nada,2026-01-02T00:00+00:00\nadda,2026-01-02T00:00+00:00\n", encoding="utf-8")
    assert reports.read_times(times, assignment, ["ada"], said.append).keys() == {"ada", "adda"} and "adda" in said[0]
    for text, what in (("student,time\nada,yesterday\n", "the time of ada"), ("name,time\n", "columns student and time.*has name, time"), ("student;time\n", "with commas"), ("", "has none")):
        times.write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match=what) as refused:
            reports.read_times(times, assignment, ["ada"], said.append)
        assert "cannot be read" not in str(refused.value)


def test_times_that_leave_something_open_are_told(tmp_path):
    """An hour of two without its offset is the teacher's, as the due time's is: else who was in time would be late by a day."""
    assignment, said = Assignment("t", [Part("02_x", "x", {"f": 10}, {})], due="2026-10-01T23:59+02:00", late=10.0), []
    times = tmp_path / "times.csv"
    times.write_text("student,time\nada,2026-10-01 23:58\nbob,2026-10-01T23:00Z\nbob,2026-10-03T23:00Z\ncyd,\n", encoding="utf-8")
    found = reports.read_times(times, assignment, ["ada", "bob", "cyd", "deb"], said.append)
    assert {student: days_late(assignment, found.get(student)) for student in ("ada", "bob", "cyd", "deb")} == {"ada": 0, "bob": 3, "cyd": 0, "deb": 0}
    assert any("no time for cyd, deb" in text for text in said) and any("more than one time for bob" in text for text in said) and any("2026-10-01T23:59+02:00" in text for text in said)


def test_a_key_that_is_not_whole_grades_nobody(made, tmp_path, capsys):
    import shutil
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
    test.write_text(test.read_text(encoding="utf-8") + "\nfrom minillm.in_numpy import of_another_version\n", encoding="utf-8")
    (key / "proof.json").write_text(json.dumps({"minillm": "0.0.0"}), encoding="utf-8")
    _, said = grade()
    assert "made by minillm 0.0.0" in said and "could not be graded" in said and "ada, bob" in said and "of_another_version" in said
    (key / "lessons" / LESSON.name / "solution.py").unlink()
    with pytest.raises(UserError, match="not whole"):
        grade()


def test_nothing_is_added_to_a_key(made):
    before = classroom.digest_of(made / "key")
    with pytest.raises(UserError, match="the key itself"):
        gradescope.write(made / "key", say=lambda text: None)
    assert classroom.digest_of(made / "key") == before


def test_the_due_time_is_told_as_people_say_it(made):
    assert "Due: **Thursday, 1 October 2026, 12:00 (UTC+02:00)**" in (made / "handout" / "README.md").read_text(encoding="utf-8")
