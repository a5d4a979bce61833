"""Promise: a submission can do what it likes, and gains no point, learns nothing, disturbs no
other and changes no file.

Each file of tests/attacks/ is a submission that says what it tries. All are graded in one class,
with honest students among them. An attack that got anywhere raises "LEAK ..." or passes a task.
What can be shown without a sandbox is in test_assignments.py.
"""

import ast
import hashlib
import http.server
import json
import os
import re
import sys
import threading
import zipfile
from pathlib import Path

import psutil
import pytest

import minillm
from minillm.assignments import classroom, sandbox
from minillm.assignments.making import make
from minillm.course import process
from minillm.course.lessons import find

ATTACKS = {path.stem: path for path in sorted((Path(__file__).parent / "attacks").glob("*.py"))}
LESSON = find("02")
SOLUTION = (LESSON.folder / "solution.py").read_text(encoding="utf-8")
PACKAGE = Path(minillm.__file__).parent
pytestmark = pytest.mark.needs("bubblewrap")
HONEST = {
    "honest": SOLUTION.encode(),
    "windows_line_ends": SOLUTION.replace("\n", "\r\n").encode(),
    "byte_order_mark": b"\xef\xbb\xbf" + SOLUTION.encode(),
    "prints_a_lot": b"print('x' * 100_000)\n" + SOLUTION.encode(),
    "unused_import": b"import torch, minillm\nfrom minillm.in_numpy import ops\n"
    + SOLUTION.encode(),
}
BROKEN = {
    "not_python": b"x = ((((((((((((\n",
    "not_text": b"\xff\xfe\x00\x01" * 100,
    "nul_bytes": b"PERPLEXITY = 1\x00\n",
    "deep_source": b"x = " + b"(" * 100_000 + b")" * 100_000,
}
ASK = """
PERPLEXITY = globals().get("PERPLEXITY", 0.5)
for _name in ("bigram_counts", "bigram_probabilities", "cross_entropy", "bits_per_byte", "perplexity"):
    if _name not in globals():
        exec(f"def {_name}(*a): return attack('{_name}', a)" if not globals().get("ONCE") or _name == "perplexity" else f"def {_name}(*a): return 0")
"""
SECRET = "7~SecretOfTheTeacher"


@pytest.fixture(scope="module", params=[
    "bubblewrap", pytest.param("chroot", marks=[pytest.mark.slow, pytest.mark.skipif(
        not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root")])])
def graded(request, tmp_path_factory):
    """One class of attackers: results by student, the place, what a server heard, whether every
    file is as it was.
    """
    place = tmp_path_factory.mktemp("attacks")
    make(
        "02,03,05",
        place / "hw",
        seconds=1,
        memory=256,
        way="bubblewrap",
        install="x",
        say=lambda text: None,
    )
    submissions, out, heard = place / "submissions", place / "grades", []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"9.488")

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    key = place / "hw" / "key"
    files = [
        key / "lessons" / LESSON.name / "solution.py",
        LESSON.folder / "solution.py",
        submissions / "honest" / f"{LESSON.name}.py",
        key / "secret.json",
    ]
    targets = {
        "masked": bytes(byte ^ 1 for byte in SECRET.encode()),
        "place": str(place),
        "files": list(map(str, files)),
        "sites": [p for p in sys.path if p],
        "port": server.server_address[1],
        "seed": json.loads((key / "secret.json").read_text(encoding="utf-8"))["seed"],
    }
    for student, path in ATTACKS.items():
        folder, text = submissions / student, path.read_text(encoding="utf-8")
        folder.mkdir(parents=True)
        lesson = {"03": "03_attention", "05": "05_transformer"}.get(student[:2], LESSON.name)
        (folder / f"{lesson}.py").write_text(
            f"TARGETS = {targets!r}\n{text}" + (ASK if lesson == LESSON.name else ""),
            encoding="utf-8",
        )
    for student, data in (HONEST | BROKEN).items():
        (submissions / student).mkdir()
        (submissions / student / f"{LESSON.name}.py").write_bytes(data)
    (submissions / "a_link").mkdir()
    (submissions / "a_link" / f"{LESSON.name}.py").symlink_to(files[0])
    (submissions / "a_folder" / f"{LESSON.name}.py").mkdir(parents=True)
    (submissions / "a_pipe").mkdir()
    os.mkfifo(submissions / "a_pipe" / f"{LESSON.name}.py")
    (submissions / "linked_folder").symlink_to(submissions / "honest")
    with zipfile.ZipFile(submissions / "dots.zip", "w") as archive:
        for name in (f"../{LESSON.name}.py", "../../grades/results/honest.json", "/etc/minillm"):
            archive.writestr(name, SOLUTION)
    with zipfile.ZipFile(submissions / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{LESSON.name}.py", b"#" * 300_000_000)
    before = (
        fingerprints(place, "hw", "submissions")
        | fingerprints(LESSON.folder)
        | fingerprints(PACKAGE / "assignments")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANVAS_TOKEN", SECRET)
        results = {
            r["student"]: r
            for r in classroom.grade(
                submissions, key, out, request.param, jobs=4, say=lambda text: None
            )
        }
    after = (
        fingerprints(place, "hw", "submissions")
        | fingerprints(LESSON.folder)
        | fingerprints(PACKAGE / "assignments")
    )
    server.shutdown()
    server.server_close()
    return {"results": results, "place": place, "heard": heard, "unchanged": before == after}


def fingerprints(folder, *parts):
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for part in parts or (".",)
        for path in (folder / part).rglob("*")
        if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts
    }


def tasks_of(graded, student):
    return {
        task["name"]: task for part in graded["results"][student]["parts"] for task in part["tasks"]
    }


@pytest.mark.parametrize(
    "student", [*ATTACKS, *BROKEN, "a_link", "a_folder", "a_pipe", "linked_folder", "dots", "bomb"]
)
def test_an_attack_gains_nothing_and_learns_nothing(student, graded):
    for task in tasks_of(graded, student).values():
        assert task["status"] != "passed", task
        assert task["kind"] != "grader" and "LEAK" not in task["message"] + task["example"], task
    printed = "".join(part["printed"] for part in graded["results"][student]["parts"])
    assert "LEAK" not in printed and SECRET not in printed


@pytest.mark.parametrize("student", HONEST)
def test_an_honest_student_among_them_gets_all_points(student, graded):
    found = graded["results"][student]["parts"][0]
    assert found["name"] == LESSON.name and all(
        task["status"] == "passed" for task in found["tasks"]
    ), found


@pytest.mark.parametrize(
    "student, task, kind",
    [
        ("endless", "perplexity", "time"),
        ("sleeps", "perplexity", "time"),
        ("sleeps", "bits_per_byte", "time"),
        ("05_callback_loop", "block", "time"),
        ("endless_when_read", "perplexity", "import"),
        ("exits_when_read", "perplexity", "import"),
        ("forged_answers", "perplexity", "answers"),
        ("print_bomb", "perplexity", "import"),
        ("exits", "perplexity", "exit"),
        ("exits", "bigram_probabilities", "exit"),
        ("exits", "cross_entropy", "exception"),
        ("crashes", "perplexity", "exit"),
        ("memory_bomb", "perplexity", "time"),
        ("text_for_numbers", "perplexity", "dtype"),
        ("complex_numbers", "perplexity", "dtype"),
        ("object_arrays", "perplexity", "dtype"),
        ("lazy", "perplexity", "dtype"),
        ("pointer", "bigram_counts", "dtype"),
        ("huge_answer", "perplexity", "dtype"),
        ("not_python", "perplexity", "syntax"),
        ("a_link", "perplexity", "file"),
        ("bomb", "perplexity", "file"),
    ],
)
def test_who_is_stopped_is_told_why(student, task, kind, graded):
    assert tasks_of(graded, student)[task]["kind"] == kind, tasks_of(graded, student)[task]


def test_no_file_changed_and_nothing_was_heard(graded):
    assert graded["unchanged"] and not graded["heard"]
    assert {path.name for path in (graded["place"] / "grades").iterdir()} == {
        "grades.csv",
        "class.txt",
        "class.html",
        "students",
        "results",
        "grading.lock",
    }
    assert len(list((graded["place"] / "grades" / "results").iterdir())) == len(graded["results"])


def test_nothing_outlives_its_limit(graded):
    """No process of this class is left, and no folder of it."""
    mine = f"minillm-box-{os.getpid()}-"
    left = [
        process.info
        for process in psutil.process_iter(["pid", "cmdline"])
        if mine in " ".join(process.info["cmdline"] or ())
    ]
    assert not left
    import tempfile

    assert not list(Path(tempfile.gettempdir()).glob(f"{mine}*"))


def test_reports_show_nothing_that_is_hidden(graded):
    seed = re.search(
        r'"seed": "(\w+)"',
        (graded["place"] / "hw" / "key" / "secret.json").read_text(encoding="utf-8"),
    )[1]
    for path in (graded["place"] / "grades").rglob("*.*"):
        text = path.read_text(encoding="utf-8")
        if path.name not in (
            "class.html",
        ):  # the teacher's, with sources: their TARGETS hold the secret
            assert seed not in text and SECRET not in text, path
        if path.suffix == ".html":
            assert "<script" not in text and "<img" not in text
        if path.parent.name == "students":
            assert "right is" not in text and "\x1b" not in text and "\u202e" not in text


# What is behind it -----------------------------------------------------------------------------


def test_every_attack_says_what_it_tries():
    assert len(ATTACKS) >= 11 + 20
    for name, path in ATTACKS.items():
        assert len(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))) > 15, name


def test_each_row_of_what_a_submission_can_do_names_tests_that_exist():
    tests = Path(__file__).parent
    page = (tests.parent / "docs" / "pages" / "how-to" / "teach.md").read_text(encoding="utf-8")
    section = page.partition("## What a submission can and cannot do\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| ")][1:]
    named = [set(re.findall(r"`(\w+)`", row[2])) for row in rows]
    assert len(rows) >= 17 and all(named)
    sources = [path.read_text(encoding="utf-8") for path in tests.glob("test_*.py")]
    defined = set(re.findall(r"^def (test_\w+)", "\n".join(sources), re.MULTILINE))
    assert set.union(*named) <= defined | set(ATTACKS)
    assert set(ATTACKS) <= set.union(*named), "every attack stands in a row"


def test_the_filter_is_tried_by_calls_that_are_possible_without_it():
    """The probe can fail: without a filter it finds calls that are possible."""
    calls = sandbox.forbidden_calls()
    found = process.ask(
        process.Job(sandbox.PROBE, [("possible", False, [(calls,)])]), process.Limits()
    )
    assert {"mmap", "memfd_create", "socket"} & set(found.of["possible"][0])


def test_no_expected_answer_is_in_what_the_sandbox_is_given(graded, monkeypatch):
    """The files beside a submission, as they are written: its inputs, and nothing that was made
    by the oracle or a mistake.
    """
    from minillm.course import plain
    from minillm.course.checking import judge_file, read_checks

    seen = []
    original = process.plain.record
    monkeypatch.setattr(
        process.plain,
        "record",
        lambda value, inwards=False: (seen.append(value), original(value, inwards))[1],
    )
    checks = read_checks(LESSON.folder)
    judge_file(checks, SOLUTION.encode(), [1], process.Limits(), lambda: sandbox.of("bubblewrap"))
    settings, tasks = [
        value
        for value in seen
        if isinstance(value, (dict, list))
        and value
        and not isinstance(value[0] if isinstance(value, list) else 0, (str,))
    ][:2]
    assert set(settings) == {"asking", "lent", "names", "jax", "file"} and settings["lent"] == ""
    for (name, _, cases), task in zip(tasks, checks.tasks):
        assert name == task.name
        for case in cases if not task.by_hand else ():
            right = plain.record(task.oracle(*case))
            assert all(
                plain.record(part) != right for part in case if not isinstance(part, (int, float))
            )


def test_what_a_killed_run_left_is_swept(tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, other = tmp_path / "minillm-box-999999-1-abc", tmp_path / "minillm-box-notes"
    (left / "box").mkdir(parents=True)
    other.mkdir()
    with process._folder() as mine:
        process.sweep()
        assert not left.exists() and mine.exists() and other.exists()


def test_a_file_has_one_budget_for_all_its_processes(monkeypatch):
    """Tasks that end their process are begun again, and what is lent runs in processes of its
    own: one sum of seconds of a core holds for all, however busy the machine is.
    """
    monkeypatch.setattr(process, "PATIENCE", 1000)  # the clock would stop them on a busy machine
    loops = b"".join(b"def f%d():\n    while True: pass\n" % i for i in range(6))
    tasks = [(f"f{i}", False, [()]) for i in range(6)]
    limits, spent = process.Limits(seconds=0.2, total=0.5), process.Spent()

    def reasons(tasks):
        job = process.Job(loops, tasks)
        found = process.ask_all(job, limits, lambda: sandbox.of("bubblewrap"), spent)
        return [found.of[name].reason for name, _, _ in tasks]

    first = reasons(tasks)
    assert 1 <= first.count("time") <= 3, first
    assert first == ["time"] * first.count("time") + ["total"] * first.count("total"), first
    assert spent.seconds >= 0.5 and reasons(tasks[:1]) == ["total"]


@pytest.mark.needs("bubblewrap")
def test_each_namespace_is_the_box_s_own(tmp_path):
    """The filter alone keeps sockets away too; neither of the two stands in for the other."""
    (tmp_path / "box").mkdir()
    box = sandbox.of("bubblewrap")
    command, _, _ = box.command(tmp_path, False)
    for handle in box.fds:
        os.close(handle)
    names = ("pid", "net", "ipc", "uts", "cgroup-try")
    assert {f"--unshare-{name}" for name in names} <= set(command)
    assert "--die-with-parent" in command and "--new-session" in command


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root")
def test_the_way_of_a_container_shows_no_file_but_python_s(tmp_path):
    """As root without bubblewrap: the slow run tries every attack in it."""
    (tmp_path / "secret").write_text("for nobody", encoding="utf-8")
    paths = ["/proc/self", "/etc/passwd", "/bin/sh", str(tmp_path / "secret")]
    file = f"""import os
def f():
    open_to_it = [path for path in {paths} if os.path.exists(path)]
    return open_to_it, os.getuid(), os.getgroups(), os.environ.get("CANVAS_TOKEN")
""".encode()
    job = process.Job(file, [("f", False, [()])])
    seen, user, groups, token = process.ask(job, process.Limits(), sandbox.of("chroot")).of["f"][0]
    assert (seen, groups, token) == ([], [], None) and user >= sandbox.FIRST_USER
    assert sandbox.works("chroot", (Path(__file__), PACKAGE)) == ""
