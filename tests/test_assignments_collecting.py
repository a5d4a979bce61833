"""Promise: what a learning platform gives out is collected as a teacher would: by student, the
right file, with a note; and nothing is unpacked, followed or executed."""

import json
import os
import unicodedata
import zipfile

import pytest

from minillm.assignments import collecting
from minillm.assignments.collecting import collect
from minillm.errors import UserError

ONE, TWO = ["03_attention.py"], ["03_attention.py", "05_transformer.py"]


def put(place, files):
    for name, data in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())


def zipped(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def found(place, names=ONE, **more):
    return {s.student: s for s in collect(place, names, **more)}


def files(place, names=ONE, **more):
    return {
        student: {name: data.decode() for name, data in s.files.items()}
        for student, s in found(place, names, **more).items()
    }


def test_folders_archives_and_single_files(tmp_path):
    put(
        tmp_path,
        {
            "ada/03_attention.py": "a",
            "bob/hw/03_attention.py": "b",
            "chen.py": "c",
            "readme.md": "",
            "eve/1/2/3/4/5/6/7/8/03_attention.py": "deep",
            ".hidden/03_attention.py": "",
            "__MACOSX/03_attention.py": "",
        },
    )
    zipped(
        tmp_path / "dora.zip",
        {
            "hw/03_attention.py": "d",
            "../03_attention.py": "evil",
            "__MACOSX/03_attention.py": "junk",
        },
    )
    (tmp_path / "frank").mkdir()
    said = []
    assert files(tmp_path, say=said.append) == {
        "ada": {ONE[0]: "a"},
        "bob": {ONE[0]: "b"},
        "chen": {ONE[0]: "c"},
        "dora": {ONE[0]: "d"},
        "eve": {},
        "frank": {},
    }
    assert len(said) == 1 and "readme.md" in said[0], "what is no submission is named"


def test_canvas_flat_download_late_and_resubmitted(tmp_path):
    put(
        tmp_path,
        {
            "doejane_1234_5678_03_attention.py": "early",
            "doejane_LATE_1234_9999_03_attention-1.py": "late",
            "doejane_1234_5679_05_transformer.py": "five",
            "roejohn_77_80_03_attention.py": "x",
            "roejohn_78_81_05_transformer.py": "another John",
        },
    )
    assert files(tmp_path, TWO) == {
        "doejane_1234": {TWO[0]: "late" if False else "early", TWO[1]: "five"},
        "roejohn_77": {TWO[0]: "x"},
        "roejohn_78": {TWO[1]: "another John"},
    }
    assert found(tmp_path, TWO)["doejane_1234"].stem.startswith("doejane_1234_")
    (tmp_path / "doejane_1234_5678_03_attention.py").unlink()
    assert files(tmp_path, TWO)["doejane_1234"][TWO[0]] == "late"


def test_of_two_uploads_of_one_name_the_later_counts(tmp_path):
    put(
        tmp_path,
        {
            "doejane_1234_5678_03_attention.py": "early",
            "doejane_LATE_1234_9999_03_attention.py": "late",
        },
    )
    only = found(tmp_path)["doejane_1234"]
    assert only.files == {ONE[0]: b"late"} and "latest" in only.notes[0]


def test_moodle_folders_and_its_zip_of_all(tmp_path):
    inside = {
        "Jane Doe_123_assignsubmission_file_/03_attention.py": "j",
        "Jürgen Müller_124_assignsubmission_file_/work.zip": b"",
        "日本_125_assignsubmission_file/03_attention.py": "n",
    }
    zipped(tmp_path / "inner.zip", {"03_attention.py": "m"})
    inside["Jürgen Müller_124_assignsubmission_file_/work.zip"] = (
        tmp_path / "inner.zip"
    ).read_bytes()
    put(tmp_path / "folder", inside)
    zipped(tmp_path / "submissions.zip", inside)
    expected = {
        "Jane Doe_123": {ONE[0]: "j"},
        "Jürgen Müller_124": {ONE[0]: "m"},
        "日本_125": {ONE[0]: "n"},
    }
    assert files(tmp_path / "folder") == files(tmp_path / "submissions.zip") == expected
    assert found(tmp_path / "folder")["Jane Doe_123"].stem == "Jane Doe_123_assignsubmission_file_"


def test_a_folder_around_all_submissions_is_seen_through(tmp_path):
    put(
        tmp_path,
        {
            "outer/submissions/ada/03_attention.py": "a",
            "outer/submissions/bob/03_attention.py": "b",
        },
    )
    said = []
    assert (
        files(tmp_path, say=said.append) == {"ada": {ONE[0]: "a"}, "bob": {ONE[0]: "b"}}
        and "submissions are in" in said[0]
    )
    put(tmp_path / "one", {"ada/1/03_attention.py": "a", "ada/2/05_transformer.py": "b"})
    assert files(tmp_path / "one", TWO) == {"ada": {TWO[0]: "a", TWO[1]: "b"}}, (
        "one student, each file in a folder of its own"
    )


@pytest.mark.parametrize(
    "name",
    [
        "03_attention (1).py",
        "03_attention-1.py",
        "attention.py",
        "attention (2).py",
        "03_attention.py.txt",
        "03_ATTENTION.PY",
        "03_attention - Copy.py",
        "03_attention copy 2.py",
        "Attention_1.py".replace("_1", "-12"),
    ],
)
def test_a_renamed_file_is_taken_with_a_note(name, tmp_path):
    put(tmp_path, {f"ada/{name}": "a"})
    ada = found(tmp_path, TWO)["ada"]
    assert ada.files == {TWO[0]: b"a"} and name in ada.notes[0] and "was taken as" in ada.notes[0]
    assert ada.problems[TWO[1]] == "it is missing"


@pytest.mark.parametrize(
    "name",
    ["attention_of_mine.py", "O3_attention.py", "04_attention.py", "attention.txt", "test.py"],
)
def test_a_name_that_could_mean_anything_is_named_not_taken(name, tmp_path):
    put(tmp_path, {f"ada/{name}": "a"})
    ada = found(tmp_path, TWO)["ada"]
    assert not ada.files and ada.problems[TWO[0]] == f"it is missing; handed in: {name}"


def test_the_topmost_of_several_counts_and_different_ones_at_one_place_do_not(tmp_path):
    put(
        tmp_path,
        {
            "ada/hw1/03_attention.py": "a",
            "ada/hw1/backup/03_attention.py": "old",
            "bob/v1/03_attention.py": "1",
            "bob/v2/03_attention.py": "2",
            "eve/v1/03_attention.py": "same",
            "eve/v2/03_attention.py": "same",
        },
    )
    zipped(tmp_path / "fay.zip", {"03_attention.py": "top", "old/03_attention.py": "old"})
    all = found(tmp_path)
    assert {s: all[s].files.get(ONE[0]) for s in all} == {
        "ada": b"a",
        "bob": None,
        "eve": b"same",
        "fay": b"top",
    }
    assert (
        "topmost" in all["ada"].notes[0]
        and "v1/03_attention.py, v2/03_attention.py" in all["bob"].problems[ONE[0]]
    )


def test_the_stub_counts_only_where_nothing_else_does(tmp_path):
    notebook = json.dumps(
        {"cells": [{"cell_type": "code", "source": ["def f():\n", "    return 1"]}]}
    )
    put(
        tmp_path,
        {
            "ada/03_attention.py": "def f(): ...\n",
            "ada/03_attention.ipynb": notebook,
            "bob/03_attention.py": "def f(): ...\r\n",
        },
    )
    got = files(tmp_path, stubs={ONE[0]: b"def f(): ...\n"})
    assert "return 1" in got["ada"][ONE[0]] and got["bob"][ONE[0]] == "def f(): ...\r\n"


def test_notebooks_give_their_functions_and_constants(tmp_path):
    cells = [
        ("markdown", "# Hi"),
        ("code", "%matplotlib inline\nimport numpy as np\nSECOND = 5.0\nx = 3"),
        ("code", "!pip install x\ndef softmax(x):\n    return x\n\nsoftmax(1)"),
        ("code", "def broken(:"),
        ("code", "%%time\nsoftmax(2)"),
        ("code", "plot(3)"),
    ]
    notebook = {
        "cells": [
            {"cell_type": kind, "source": source.splitlines(keepends=True)}
            for kind, source in cells
        ]
    }
    put(
        tmp_path,
        {
            "ada/03_attention.ipynb": json.dumps(notebook),
            "bob.ipynb": json.dumps(notebook),
            "eve/03_attention.ipynb": "no json",
            "fay/03_attention.py": "get_ipython().run_line_magic('x', '')\ndef softmax(x):\n    return x\nprint(1)\n",
        },
    )
    all = found(tmp_path)
    for student in ("ada", "bob"):
        assert (
            all[student].files[ONE[0]].decode().split()
            == "import numpy as np SECOND = 5.0 def softmax(x): return x".split()
        )
        assert any("cell 3" in note for note in all[student].notes)
    assert all["eve"].problems == {ONE[0]: "it is not a notebook that can be read"}
    assert all["fay"].files[ONE[0]].decode().split() == "def softmax(x): return x".split()


def test_one_name_in_several_forms_is_one_student(tmp_path):
    put(
        tmp_path,
        {
            "ada/03_attention.py": "a",
            "ADA/05_transformer.py": "b",
            unicodedata.normalize("NFD", "José") + "/03_attention.py": "j",
        },
    )
    zipped(tmp_path / f"{unicodedata.normalize('NFC', 'José')}.zip", {"05_transformer.py": "k"})
    all = found(tmp_path, TWO)
    assert (
        len(all) == 2
        and all["José"].files == {TWO[0]: b"j", TWO[1]: b"k"}
        and "taken together" in all["José"].notes[0]
    )
    assert list(all.values())[0].files == {TWO[0]: b"a", TWO[1]: b"b"}


def test_who_hands_in_an_empty_folder_is_a_student_in_an_archive_too(tmp_path):
    zipped(tmp_path / "all.zip", {"export/": "", "export/ada/": "", "export/bob/": "",
                                  "export/bob/03_attention.py": "b", "export/cyd/": "",
                                  "export/cyd/03_attention.py": "c"})
    assert files(tmp_path / "all.zip") == {"ada": {}, "bob": {ONE[0]: "b"}, "cyd": {ONE[0]: "c"}}


def test_archives_in_archives_are_opened_and_no_student_has_endless_ones(tmp_path):
    zipped(tmp_path / "hw.zip", {"03_attention.py": "a"})
    zipped(tmp_path / "work.zip", {"inner/hw.zip": (tmp_path / "hw.zip").read_bytes()})
    zipped(tmp_path / "s" / "ada.zip", {"work.zip": (tmp_path / "work.zip").read_bytes()})
    deep = (tmp_path / "hw.zip").read_bytes()
    for _ in range(collecting.ARCHIVES):
        zipped(tmp_path / "hw.zip", {"hw.zip": deep})
        deep = (tmp_path / "hw.zip").read_bytes()
    put(tmp_path / "s", {"bob/hw.zip": deep})
    assert files(tmp_path / "s") == {"ada": {ONE[0]: "a"}, "bob": {}}


def test_a_broken_archive_is_one_student_s_problem(tmp_path):
    put(tmp_path, {"ada/03_attention.py": "a", "bob.zip": b"PK no", "eve/work.zip": b"no"})
    zipped(tmp_path / "dots.zip", {"../03_attention.py": "evil", "x/../03_attention.py": "evil"})
    all = found(tmp_path)
    assert (
        all["ada"].files
        and "cannot be read" in all["bob"].problems[ONE[0]]
        and "cannot be read" in all["eve"].problems[ONE[0]]
    )
    assert all["dots"].problems[ONE[0]] == "it is missing"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="links and pipes of Unix")
def test_links_pipes_and_large_files_are_not_read(tmp_path):
    put(tmp_path, {"secret": "secret", "s/c/03_attention.py": b"#" * (collecting.LARGEST + 1)})
    for student in "abd":
        (tmp_path / "s" / student).mkdir()
    (tmp_path / "s" / "a" / ONE[0]).symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "s" / "b" / ONE[0])
    (tmp_path / "s" / "d" / ONE[0]).mkdir()
    (tmp_path / "s" / "e").symlink_to(tmp_path)
    zipped(tmp_path / "s" / "f.zip", {ONE[0]: b"#" * (collecting.LARGEST + 1)})
    all = found(tmp_path / "s")
    assert set(all) == set("abcdef") and not any(s.files for s in all.values())
    assert (
        "ordinary file" in all["a"].problems[ONE[0]]
        and "larger than" in all["c"].problems[ONE[0]]
        and "larger than" in all["f"].problems[ONE[0]]
    )


@pytest.mark.parametrize("name", ["03_attention.py", "assignment.json", "secret.json"])
def test_what_is_no_folder_of_submissions_is_refused(name, tmp_path):
    put(tmp_path, {name: ""})
    with pytest.raises(UserError, match="not a folder of submissions"):
        collect(tmp_path, ONE)
    for place in (tmp_path / "none", tmp_path / name):
        with pytest.raises(UserError, match="no such folder"):
            collect(place, ONE)


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "1 + " * 20_000 + "1",
        "X = " + "-" * 50_000 + "1",
        "X = " + "[" * 5000,
        "def f():\n    return " + "(" * 150 + ")" * 150,
        "X = 1" + "\x00",
    ],
)
def test_a_notebook_made_to_break_a_parser_is_one_student_s_problem(source, tmp_path):
    notebook = {
        "cells": [
            {"cell_type": "code", "source": source},
            {"cell_type": "code", "source": "@cache\ndef f(x):\n    return x"},
        ]
    }
    put(tmp_path, {"ada.ipynb": json.dumps(notebook), "bob.py": "b"})
    all = found(tmp_path)
    assert all["bob"].files and all["ada"].files[ONE[0]].endswith(
        b"@cache\ndef f(x):\n    return x\n"
    )
