"""Promise: points come from results, times, extensions and overrides as written down; every table
is importable and every page safe.
"""

import csv
import io
from pathlib import Path

import pytest

from minillm.assignments import classroom, reports
from minillm.assignments.assignment import Assignment, Part, after_lateness, days_late
from minillm.assignments.collecting import Submission
from minillm.assignments.records import Records, in_groups, read_records
from minillm.assignments.similar import alike
from minillm.errors import UserError

NASTY = [
    '=HYPERLINK("http://x")',
    "+1",
    "-1+1",
    "@SUM(A1)",
    "  =1",
    "\t=1",
    'a,b"c\n=1',
    "<script>alert(1)</script>",
    "‮evil",
    "\x1b[2J",
    "É. Ñandú",
    "\udcff",
    "%0A",
    "..",
    "con",
    "a" * 300,
]
ASSIGNMENT = Assignment(
    "T <i>",
    [Part("02_counting", "A & B", {"f": 2, "g": 1}, {"f": "x", "g": "y"})],
    "2026-10-01T23:59+02:00",
    10,
)


def task(name, status, message="", hint=None, kind=None, **more):
    return {
        "name": name,
        "status": status,
        "kind": kind or status,
        "hint": hint,
        "message": message,
        "example": "right is <b>7</b>",
        "helped": [],
    } | more


def result(student, *tasks, **more):
    return {
        "student": student,
        "parts": [
            {
                "name": "02_counting",
                "printed": "<img src=x onerror=alert(1)>\x1b[2J\n",
                "tasks": list(tasks),
            }
        ],
    } | more


def passed(student, **more):
    return result(student, task("f", "passed"), task("g", "passed"), **more)


@pytest.fixture
def results():
    return [
        result(name, task("f", "failed", f"says {name}", "h<i>"), task("g", "passed", helped=["f"]))
        for name in NASTY
    ]


def table(path):
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


def test_no_name_becomes_a_formula_or_a_script(results, tmp_path):
    reports.write_all(
        tmp_path,
        ASSIGNMENT,
        results,
        Records(),
        {name: {"02_counting.py": b"<script>\xff"} for name in NASTY},
    )
    rows = table(tmp_path / "grades.csv")
    assert len(rows) == len(NASTY) + 1 and all(len(row) == len(rows[0]) for row in rows)
    for row in rows[1:]:
        assert (
            row[0].lstrip()[0] not in "=+-@%|" and row[0].isprintable() and row[1:3] == ["1", "3"]
        )
    assert (tmp_path / "grades.csv").read_bytes().startswith(b"\xef\xbb\xbf"), (
        "Excel reads UTF-8 with a byte-order mark"
    )
    assert len(list((tmp_path / "students").iterdir())) == 2 * len(NASTY)
    for path in tmp_path.rglob("*.*"):
        text = path.read_bytes().decode("utf-8")
        if path.suffix == ".html":
            assert (
                not any(tag in text for tag in ("<script", "<img", "<i>", "<b>"))
                and "default-src 'none'" in text
            )
        assert "\x1b" not in text and "‮" not in text
        if path.parent.name == "students":
            assert "right is" not in text and "onerror" not in text


def test_pages_are_named_as_the_platform_and_people_name_them():
    assert (
        reports.page_name("Müller Jürgen") == "Müller Jürgen"
        and reports.page_name("日本") == "日本"
    )
    assert reports.page_name("doejane_1234", "doejane_1234_5678_") == "doejane_1234_5678_feedback"
    names = [
        reports.page_name(name) for name in [*NASTY, "a/b", "a_b", "É" * 200, ".hidden", "nul.txt"]
    ]
    assert len({name.casefold() for name in names}) == len(names) and all(
        len(name.encode()) < 200 and "/" not in name and name[0] != "." for name in names
    )
    slugs = {classroom.result_file(Path(), name).stem for name in NASTY}
    assert len(slugs) == len(NASTY)


def test_what_is_said_of_a_whole_file_is_said_once(tmp_path):
    one = result(
        "ada",
        task("f", "error", "not Python", kind="syntax", example=""),
        task("g", "error", "not Python", kind="syntax", example=""),
    )
    reports.write_all(tmp_path, ASSIGNMENT, [one], Records())
    for path in ("students/ada.txt", "students/ada.html", "class.html"):
        assert (tmp_path / path).read_text(encoding="utf-8").count("not Python") == (
            2 if path == "class.html" else 1
        ), path
    assert "02_counting  (syntax): the file is not Python" in (tmp_path / "class.txt").read_text(
        encoding="utf-8"
    )


def test_pages_of_who_is_not_in_the_class_any_more_go_and_nothing_else(results, tmp_path):
    from minillm.files import make_folder, write_json

    make_folder(tmp_path / "results")
    for found in results[:3]:
        write_json(classroom.result_file(tmp_path, found["student"]), found)
    reports.write_all(tmp_path, ASSIGNMENT, results[:3], Records())
    (tmp_path / "students" / "my notes.txt").write_text("mine", encoding="utf-8")
    assert reports.remove_others(tmp_path, {found["student"] for found in results[1:3]}) == [
        NASTY[0]
    ]
    assert (
        len(list((tmp_path / "students").iterdir())) == 5
        and reports.remove_others(tmp_path, {f["student"] for f in results[1:3]}) == []
    )


def test_statistics_by_task_and_who_went_wrong(tmp_path):
    class_ = [
        passed("ada"),
        result("bob", task("f", "failed", "the hint", "swapped"), task("g", "todo")),
        result(
            "cyd", task("f", "failed", "the hint", "swapped"), task("g", "passed", helped=["f"])
        ),
    ]
    reports.write_all(tmp_path, ASSIGNMENT, class_, Records())
    text, page = (
        (tmp_path / name).read_text(encoding="utf-8") for name in ("class.txt", "class.html")
    )
    assert (
        "quartiles 0.5, 1, 2 of 3" in text
        and "  33%  02_counting.f" in text
        and "   2  02_counting.f  swapped: the hint" in text
    )
    assert "bob, cyd" in page
    reports.write_all(tmp_path, ASSIGNMENT, class_, Records(), anonymous=True)
    for name in ("class.txt", "class.html"):
        assert not any(
            student in (tmp_path / name).read_text(encoding="utf-8")
            for student in ("ada", "bob", "cyd")
        )


SOFTMAX = b"""import numpy as np
def softmax(x):
    shifted = x - np.max(x, axis=-1, keepdims=True)
    e = np.exp(shifted)
    return e / np.sum(e, axis=-1, keepdims=True)
def attention(q, k, v):
    scores = q @ k.T / np.sqrt(q.shape[1])
    return softmax(np.where(np.tri(len(q), dtype=bool), scores, -np.inf)) @ v
"""


def test_alike_says_where_to_look():
    other = (
        b"def softmax(x):\n    total = sum(2.718281828 ** (y - max(x)) for y in x)\n    return [2.718281828 ** (y - max(x)) / total for y in x]\n"
        + b"def f(a):\n    return a * 2 + 1\n" * 8
    )
    files = {
        "ada": SOFTMAX,
        "bob": SOFTMAX,
        "cyd": SOFTMAX.replace(b"shifted", b"s").replace(b"scores", b"t") + b"# mine\n",
        "dan": SOFTMAX + b"x = 1\n",
        "eve": other,
        "fay": b"not ( python",
        "gus": b"",
    }
    groups = alike(files, b"")
    assert groups[:2] == [
        {"how": "equal", "students": ["ada", "bob"]},
        {"how": "equal but for names and layout", "students": ["ada", "bob", "cyd"]},
    ]
    assert len(groups) == 3 and groups[2]["students"] == ["ada", "bob", "cyd", "dan"]
    assert groups[2]["how"].endswith("% of their runs"), "one row, not one for each pair"
    assert {"how": "equal but for names and layout", "students": ["bob", "cyd"]} in alike(
        {name: files[name] for name in ("bob", "cyd")}, b""
    )
    assert alike({"ada": SOFTMAX, "bob": SOFTMAX}, SOFTMAX) == [], (
        "what the handout gave is nobody's"
    )


# Times, extensions, overrides, rosters ---------------------------------------------------------


@pytest.mark.parametrize(
    "handed_in, days, left",
    [
        (None, 0, 10),
        ("2026-10-01T12:00Z", 0, 10),
        ("2026-10-01T12:14Z", 0, 10),
        ("2026-10-01T14:10+02:00", 0, 10),
        ("2026-10-01T12:16Z", 1, 9),
        ("2026-10-02T12:20Z", 2, 8),
        ("2027-01-01", 92, 0),
    ],
)
def test_lateness(handed_in, days, left):
    assignment = Assignment("t", [Part("02_x", "x", {"f": 10}, {})], "2026-10-01T12:00+00:00", 10)
    assert days_late(assignment, handed_in) == days and after_lateness(assignment, 10, days) == left


def written(tmp_path, **texts):
    paths = {}
    for name, text in texts.items():
        paths[name] = tmp_path / f"{name}.csv"
        paths[name].write_text(text, encoding="utf-8")
    return paths


def test_times_are_read_as_people_and_spreadsheets_write_them(tmp_path):
    said = []
    paths = written(
        tmp_path,
        times="student,time\nada,2026-10-01 23:58\nbob,2026-10-01T23:00Z\nbob,2026-10-03T23:00Z\ncyd,\neve,10/02/2026 11:59 PM\nJOSÉ,02.10.2026 12:00\nnobody,2026-10-01\n",
    )
    records = read_records(
        ASSIGNMENT, ["ada", "bob", "cyd", "dan", "eve", "José"], **paths, say=said.append
    )
    assert {
        s: records.score(ASSIGNMENT, passed(s)).days
        for s in ("ada", "bob", "cyd", "dan", "eve", "José")
    } == {"ada": 0, "bob": 3, "cyd": 0, "dan": 0, "eve": 1, "José": 1}
    text = "\n".join(said)
    assert (
        "no submission of nobody" in text
        and "no time for cyd, dan" in text
        and "more than one time for bob" in text
        and "2026-10-01T23:59+02:00" in text
    )


@pytest.mark.parametrize(
    "file, text, what",
    [
        ("times", "student,time\nada,yesterday\n", "the time of ada"),
        ("times", "name,time\n", "columns student and time.*has name, time"),
        ("times", "", "has none"),
        ("extensions", "student,due\nada,soon\n", "the due time of ada"),
        ("extensions", "student,grace\nada,-1\n", "the grace of ada"),
        (
            "overrides",
            "student,task,points\nada,02_counting.none,1\n",
            "not one of 02_counting, 02_counting.f",
        ),
        ("overrides", "student,task,points\nada,,many\n", "the points of ada"),
        ("roster", "a,b\n1,2\n", "needs a column student"),
    ],
)
def test_what_cannot_be_understood_is_refused_before_anything_is_graded(file, text, what, tmp_path):
    with pytest.raises(UserError, match=what):
        read_records(
            ASSIGNMENT, ["ada"], **written(tmp_path, **{file: text}), say=lambda text: None
        )


def test_extensions_and_overrides(tmp_path):
    paths = written(
        tmp_path,
        times="student,time\nada,2026-10-03 12:00\nbob,2026-10-03 12:00\ncyd,2026-10-02 00:30\n",
        extensions="student,due,grace\nada,2026-10-05 23:59,\ncyd,,60\n",
        overrides="student,task,points,note\nbob,02_counting.f,1.5,by hand\nada,,2.5,\n",
    )
    records = read_records(ASSIGNMENT, ["ada", "bob", "cyd"], **paths, say=lambda text: None)
    scores = {s: records.score(ASSIGNMENT, passed(s)) for s in ("ada", "bob", "cyd")}
    assert {s: (score.days, score.points) for s, score in scores.items()} == {
        "ada": (0, 2.5),
        "bob": (2, 2),
        "cyd": (0, 3),
    }
    assert scores["bob"].earned == 2.5 and scores["bob"].overrides == [
        "02_counting.f: 1.5 (by hand)"
    ]
    reports.write_all(tmp_path, ASSIGNMENT, [passed("bob")], records)
    assert "points set by your teacher: 02_counting.f: 1.5 (by hand)" in (
        tmp_path / "students" / "bob.txt"
    ).read_text(encoding="utf-8")


def test_a_copy_of_the_course_s_solution_is_listed_under_no_name(tmp_path):
    files = {"ada": {"02_counting.py": SOFTMAX}}
    for anonymous in (False, True):
        reports.write_all(tmp_path, ASSIGNMENT, [passed("ada")], Records(), files,
                          anonymous=anonymous, given={"02_counting.py": (b"", SOFTMAX)})
        text = (tmp_path / "class.txt").read_text(encoding="utf-8")
        assert "equal: (the course's solution), " in text and ("ada" in text) != anonymous


def test_a_group_s_submission_counts_for_each_of_its_students(tmp_path):
    one = [Submission(name, {"02_counting.py": SOFTMAX}, {}) for name in ("Team A", "bob", "cyd")]
    paths = written(tmp_path, groups="group,student\nteam a,ada\nTEAM A,Bob\n")
    said = []
    handed_in = in_groups(one, paths["groups"], said.append)
    assert [s.student for s in handed_in] == ["ada", "Bob", "cyd"]
    assert all(s.files == one[0].files for s in handed_in)
    assert handed_in[1].notes == ["handed in by the group Team A"]
    assert "Bob handed in alone" in said[0]
    records = read_records(ASSIGNMENT, ["ada", "Bob", "cyd"], **paths, say=said.append)
    class_, files = [passed(s.student) for s in handed_in], {s.student: s.files for s in handed_in}
    given = {"02_counting.py": (b"", SOFTMAX.replace(b"shifted", b"s"))}
    reports.write_all(tmp_path, ASSIGNMENT, class_, records, files, given=given)
    assert "equal: Bob, cyd\n" in (tmp_path / "class.txt").read_text(encoding="utf-8"), (
        "a group is not alike within itself"
    )
    with pytest.raises(UserError, match="columns group and student"):
        in_groups(one, written(tmp_path, groups="name\n")["groups"], said.append)


CANVAS = (
    'Student,ID,SIS User ID,SIS Login ID,Section,Old (12)\n    Points Possible,,,,,5\n"Doe, Jane",1234,s1,jdoe,A,3\n"Roe, John",77,s2,jroe,A,\n"Poe, Ann",99,s3,apoe,A,\n'
    '"Student, Test",5,,x,A,\n'
)
MOODLE = "Identifier,Full name,Email address,Status,Grade\nParticipant 123,Jane Doe,j@x.org,Submitted,\nParticipant 124,Jürgen Müller,m@x.org,Submitted,\n"


def test_canvas_and_moodle_get_their_own_columns_back(tmp_path):
    records = read_records(
        ASSIGNMENT, ["doejane_1234", "John Roe"], roster=written(tmp_path, roster=CANVAS)["roster"]
    )
    class_ = [passed("doejane_1234"), result("John Roe", task("f", "failed"), task("g", "passed"))]
    reports.write_all(tmp_path, ASSIGNMENT, class_, records, lms="canvas")
    assert table(tmp_path / "canvas.csv") == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "T <i>"],
        ["    Points Possible", "", "", "", "", "3"],
        ["Doe, Jane", "1234", "s1", "jdoe", "A", "3"],
        ["Roe, John", "77", "s2", "jroe", "A", "1"],
        ["Poe, Ann", "99", "s3", "apoe", "A", "0"],
    ]
    assert records.strangers(["doejane_1234", "Jim Foe"]) == ["Jim Foe"]
    assert table(tmp_path / "grades.csv")[-1][:2] == [
        "Poe, Ann",
        "0",
    ] and "handed in nothing: Poe, Ann" in (tmp_path / "class.txt").read_text(encoding="utf-8")
    records = read_records(
        ASSIGNMENT, ["Jane Doe_123"], roster=written(tmp_path, roster=MOODLE)["roster"]
    )
    reports.write_all(
        tmp_path,
        ASSIGNMENT,
        [passed("Jane Doe_123", stem="Jane Doe_123_assignsubmission_file_")],
        records,
        lms="moodle",
    )
    assert table(tmp_path / "moodle.csv") == [
        ["Identifier", "Full name", "Email address", "Grade"],
        ["Participant 123", "Jane Doe", "j@x.org", "3"],
        ["Participant 124", "Jürgen Müller", "m@x.org", "0"],
    ]
    assert (tmp_path / "students" / "Jane Doe_123_assignsubmission_file_feedback.html").is_file()
