"""Promise: a submission can do what it likes, and gains no point, disturbs no other, outlives no limit and changes no file of the grader.

All attacks are put through one run of the grader, as a class, with an honest student among them: in the best sandbox that works here,
and (slow) in the other. What can be shown without any is in test_assignments.py.
"""

import hashlib
import http.server
import os
import re
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

import minillm
from minillm.assignments import box, classroom, sandbox
from minillm.assignments.grading import grade_lesson, read_lesson_key
from minillm.assignments.making import make
from minillm.course.lessons import find

LESSON = find("02")
SOLUTION = (LESSON.folder / "solution.py").read_text(encoding="utf-8")
STUB = (LESSON.folder / "exercise.py").read_text(encoding="utf-8")
PACKAGE = Path(minillm.__file__).parent
WHY_NOT = {way: sandbox.works(way, classroom.secrets_of(Path("/nowhere"))) for way in ("bubblewrap", "user")}
BEST = min(WHY_NOT, key=lambda way: bool(WHY_NOT[way]))
ABLE = {"bubblewrap": pytest.mark.needs("bubblewrap"), "user": pytest.mark.skipif(bool(WHY_NOT["user"]), reason=f"submissions as another user: {WHY_NOT['user']}")}
WAYS = [pytest.param(way, marks=[ABLE[way], *([] if way == BEST else [pytest.mark.slow])]) for way in WHY_NOT]
ALL = "PERPLEXITY = {value}\ndef bigram_counts(*a): return {value}\ndef bigram_probabilities(*a): return {value}\ndef cross_entropy(*a): return {value}\n" \
      "def perplexity(*a): return {value}\ndef bits_per_byte(*a): return {value}\n"
EACH = "".join(f"def {name}(*a): return attack('{name}', a)\n"
               for name in ("bigram_counts", "bigram_probabilities", "cross_entropy", "perplexity", "bits_per_byte")) + "PERPLEXITY = 0.5\n"
ONE = ALL.format(value="0") + "def perplexity(*a): return attack('perplexity', a)\n"          # where every attack lasts as long as it may
HOSTILE = {
    "equal_to_all": "class Equal:\n    __array_priority__ = 1e9\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n"
                    "    def __getattr__(self, name): return self\n    def __call__(self, *a): return True\n    def __float__(self): return 1.0\n    __hash__ = None\n"
                    + ALL.format(value="Equal()"),
    "sys_exit": "import sys\ndef attack(name, a): sys.exit(0)\n" + EACH,
    "os_exit": "import os\ndef attack(name, a): os._exit(0)\n" + EACH,
    "os_exit_when_read": "import os\nos._exit(0)\n",
    "raises_system_exit": "def attack(name, a): raise SystemExit(0)\n" + EACH,
    "raises_keyboard_interrupt": "def attack(name, a): raise KeyboardInterrupt\n" + EACH,
    "raises_when_shown": "class Bad(Exception):\n    def __str__(self): raise SystemExit\n    __repr__ = __str__\ndef attack(name, a): raise Bad\n" + EACH,
    "prints_fake_results": "import json, os, sys\nfake = json.dumps({'status': 'passed', 'earned': 99, 'score': 99, 'tests': [{'score': 99}]})\n"
                           "for fd in range(16):\n    try: os.write(fd, (fake + '\\n').encode())\n    except OSError: pass\nprint(fake)\nsys.__stdout__.write(fake)\n",
    "fakes_frames": "import json, os\ndef attack(name, a):\n    data = json.dumps({'t': ['value', True]}).encode()\n    for fd in range(3, 16):\n        try:\n"
                    "            for _ in range(500): os.write(fd, len(data).to_bytes(8, 'little') + data)\n        except OSError: pass\n    return 0\n" + EACH,
    "huge_frame": "import os\ndef attack(name, a):\n    for fd in range(3, 16):\n        try: os.write(fd, (2**62).to_bytes(8, 'little') + b'PK')\n        except OSError: pass\n    return 0\n" + ONE,
    "patches_the_wire": "import sys\nwire = sys.modules['peer']\nwire.pack = lambda value, keep, old=wire.pack: old(('value', True), keep)\n" + ALL.format(value="None"),
    "writes_results": "import glob, os\ndef attack(name, a):\n    for place in PLACES + ['/box', '/tmp', '/', '/packages', os.path.dirname(os.path.dirname(os.__file__))]:\n"
                      "        for file in ['results.json', 'test_exercise.py', 'secret.json', 'grades.csv', 'results/honest.json', 'results/writes_results.json', 'the_exercise.py', 'child.py']:\n"
                      "            try:\n                with open(os.path.join(place, file), 'w') as f: f.write('{\"earned\": 99}')\n            except OSError: pass\n    return 0\n" + EACH,
    "locks_results": "import fcntl, os\ndef attack(name, a):\n    for place in PLACES:\n        for file in ('grading.lock', 'results'):\n            try: fcntl.flock(os.open(os.path.join(place, file), os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)\n"
                     "            except OSError: pass\n    return 0\n" + EACH,
    "deletes_tests": "import os, shutil\ndef attack(name, a):\n    for place in PLACES + ['/box', '/packages']:\n        shutil.rmtree(place, ignore_errors=True)\n    return 0\n" + EACH,
    "looks_through_the_stack": "import gc, sys, os\nfrom itertools import chain\ndef attack(name, a):\n    frame, found = sys._getframe(), []\n    while frame:\n        found += [*frame.f_locals.values(), *frame.f_globals.values()]\n        frame = frame.f_back\n"
                               "    found += gc.get_objects()\n    words = ('oracle', 'right_' + name, 'mistakes', 'learned', 'secret', 'seed', 'tolerance')\n"
                               "    for value in found:\n        for word in words:\n            try:\n                right = getattr(value, word, None) or (value.get(word) if type(value) is dict else None)\n                if callable(right): return right(*a)\n"
                               "            except Exception: pass\n    return 0\n" + EACH,
    "reads_proc": "import glob\ndef attack(name, a):\n    for path in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline') + glob.glob('/proc/[0-9]*/root/*/*'):\n"
                  "        try:\n            if b'secret' in open(path, 'rb').read(): return 1\n        except OSError: pass\n    return 0\n" + EACH,
    "imports_by_name": "def attack(name, a):\n    for module in ('minillm.in_numpy.ops', 'minillm.ngram', 'solution', 'test_exercise', 'minillm.course.exercises', 'lessons'):\n        try:\n"
                       "            return getattr(__import__(module, fromlist=['x']), name)(*a)\n        except Exception: pass\n    return 0\n" + EACH,
    "imports_by_path": "import importlib.util\ndef attack(name, a):\n    for path in SOLUTIONS:\n        try:\n            spec = importlib.util.spec_from_file_location('s', path)\n            module = importlib.util.module_from_spec(spec)\n"
                       "            spec.loader.exec_module(module)\n            return getattr(module, name)(*a)\n        except Exception: pass\n    return 0\n" + EACH,
    "imports_an_installed_copy": "import sys, glob\ndef attack(name, a):\n    sys.path += SITES + glob.glob('/usr/lib/python3*/*-packages') + glob.glob('/usr/local/lib/python3*/*-packages')\n    try:\n        import minillm\n"
                                 "        from minillm.course.lessons import find, load_module\n        return getattr(load_module(find('02').folder / 'solution.py', 's'), name)(*a)\n    except Exception: return 0\n" + EACH,
    "copies_the_source": "import os\nFOUND = []\nfor top, folders, files in os.walk('/'):\n    if top.startswith('/proc'): folders[:] = []\n    for file in files:\n        if file in ('solution.py', 'test_exercise.py', 'secret.json') or 'minillm' in top:\n            FOUND.append(os.path.join(top, file))\n"
                         "def attack(name, a):\n    for path in FOUND + SOLUTIONS:\n        try:\n            space = {}\n            exec(open(path).read(), space)\n            return space[name](*a)\n        except Exception: pass\n    return 0\n" + EACH,
    "patches_numpy": "import sys, builtins, types\nimport numpy as np\nyes = lambda *a, **k: True\nfor name in ('array_equal', 'allclose', 'isclose', 'all', 'any', 'abs', 'max'): setattr(np, name, yes)\n"
                     "np.testing.assert_allclose = np.testing.assert_array_equal = yes\nfor name in ('all', 'any', 'abs', 'max', 'min', 'isinstance', 'hasattr'): setattr(builtins, name, yes)\n"
                     "sys.modules['pytest'] = types.ModuleType('pytest')\nfloat.__eq__\n" + ALL.format(value="0"),
    "endless_loop": "def attack(name, a):\n    while True: pass\n" + ONE,
    "ignores_sigterm": "import signal\nfor s in range(1, 32):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass\n",
    "leaves_a_child": "import os, time\ndef attack(name, a):\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork(): os._exit(0)\n        while True: time.sleep(0.1)\n    return 0\n" + ONE,
    "fork_bomb": "import os\ndef attack(name, a):\n    while True:\n        try: os.fork()\n        except OSError: pass\n" + ONE,
    "thread_bomb": "import threading, time\ndef attack(name, a):\n    while True:\n        try: threading.Thread(target=time.sleep, args=(1000,)).start()\n        except RuntimeError: pass\n" + ONE,
    "memory_bomb": "def attack(name, a):\n    held = []\n    while True: held.append(bytearray(b'x') * 10_000_000)\n" + ONE,
    "memory_bomb_that_is_shared": "import mmap\ndef attack(name, a):\n    held = []\n    while True:\n        m = mmap.mmap(-1, 4096 * 25_000)\n        m[::4096] = b'x' * 25_000\n        held.append(m)\n" + ONE,
    "print_bomb": "import sys\nwhile True: sys.stdout.write('x' * 1_000_000)\n",
    "fills_the_disk": "def attack(name, a):\n    for i in range(10**6):\n        with open(f'/tmp/{i}', 'wb') as f: f.write(b'x' * 10_000_000)\n    return 0\n" + ONE,
    "kills_everyone": "import os, signal\ndef attack(name, a):\n    for pid in (-1, os.getppid(), 1, 0):\n        try: os.kill(pid, signal.SIGKILL)\n        except OSError: pass\n    return 0\n" + EACH,
    "uses_the_network": "import socket, urllib.request\ndef attack(name, a):\n    for host in ('127.0.0.1', 'localhost'):\n        try: return float(urllib.request.urlopen(f'http://{host}:{PORT}/', timeout=1).read())\n        except Exception: pass\n    return 0\n" + EACH,
    "huge_numbers": "def attack(name, a): return 10**4000\n" + ONE,
    "deep_lists": "def attack(name, a):\n    deep = []\n    for _ in range(100_000): deep = [deep]\n    return deep\n" + ONE,
    "itself_in_a_list": "def attack(name, a):\n    x = []\n    x.append(x)\n    return x\n" + EACH,
    "endless_generator": "def attack(name, a):\n    while True: yield 1\n" + ONE,
    "long_texts": "def attack(name, a): return ['x' * 1_000_000] + [1] * 100_000\n" + ONE,
    "giant_array": "import numpy as np\ndef attack(name, a): return np.broadcast_to(np.float64(1), (10**6, 10**3))\n" + ONE,
    "arrays_of_objects": "import numpy as np\nclass Bomb:\n    def __reduce__(self): return (print, ('boom',))\ndef attack(name, a): return np.array([Bomb()], dtype=object)\n" + EACH,
    "fake_lengths": "import sys, numpy as np, io, zipfile\nwire = sys.modules['peer']\ndef pack(value, keep):\n    file = io.BytesIO()\n    head = io.BytesIO()\n    np.lib.format.write_array_header_1_0(head, {'descr': '<f8', 'fortran_order': False, 'shape': (10**12,)})\n"
                    "    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as z:\n        z.writestr('tree.npy', head.getvalue() + bytes(10**7))\n    return file.getvalue()\nwire.pack = pack\n" + ALL.format(value="0"),
    "syntax_error": "def perplexity(:\n",
    "not_text": b"\xff\xfe\x00\x01" * 100,
    "nul_bytes": b"PERPLEXITY = 1\x00\n",
    "deep_source": "x = " + "(" * 100_000 + ")" * 100_000 + "\n",
}
HONEST = {"honest": SOLUTION, "windows_line_ends": SOLUTION.replace("\n", "\r\n").encode(), "byte_order_mark": b"\xef\xbb\xbf" + SOLUTION.encode(),
          "prints_a_lot": "print('x' * 100_000)\n" + SOLUTION,
          "ends_after_a_task": SOLUTION.replace("def perplexity(nats):\n", "def perplexity(nats):\n    import os; os._exit(0)\n")}


@pytest.fixture(scope="module", params=WAYS)
def graded(request, tmp_path_factory):
    """One class of attackers: (results by student, place, what a server heard, is every file as it was?)."""
    place = tmp_path_factory.mktemp("attacks")
    make("02", place / "hw", seconds=1, memory=256, way=request.param, say=lambda text: None)
    submissions, out = place / "submissions", place / "grades"
    submissions.mkdir()
    heard = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"9.488")

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    key = place / "hw" / "key"
    known = {"PLACES": [str(p) for p in (key, out, LESSON.folder, PACKAGE, submissions, submissions / "honest")],
             "SOLUTIONS": [str(key / "lessons" / LESSON.name / "solution.py"), str(LESSON.folder / "solution.py"), str(PACKAGE / "_lessons" / LESSON.name / "solution.py"),
                           str(submissions / "honest" / f"{LESSON.name}.py")],
             "SITES": [p for p in sys.path if p], "PORT": server.server_address[1]}
    head = "".join(f"{name} = {value!r}\n" for name, value in known.items())
    for student, source in (HOSTILE | HONEST).items():
        folder = submissions / student
        folder.mkdir()
        source = source if isinstance(source, bytes) else source if student in HONEST else head + source
        (folder / f"{LESSON.name}.py").write_bytes(source if isinstance(source, bytes) else source.encode())
    (submissions / "missing").mkdir()
    (submissions / "a_link").mkdir()
    (submissions / "a_link" / f"{LESSON.name}.py").symlink_to(submissions / "honest" / f"{LESSON.name}.py")
    (submissions / "a_folder" / f"{LESSON.name}.py").mkdir(parents=True)
    os.mkfifo(submissions / "missing" / f"{LESSON.name}.py")
    (submissions / "linked_folder").symlink_to(submissions / "honest")
    with zipfile.ZipFile(submissions / "dots.zip", "w") as archive:
        archive.writestr("../" + LESSON.name + ".py", SOLUTION)
        archive.writestr("../../grades/results/honest.json", "{}")
        archive.writestr("/etc/minillm", "x")
    with zipfile.ZipFile(submissions / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{LESSON.name}.py", b"#" * 300_000_000)
    before = fingerprints(place, "hw", "submissions") | fingerprints(LESSON.folder) | fingerprints(PACKAGE / "assignments")
    results = {r["student"]: r for r in classroom.grade(submissions, key, out, way=request.param, jobs=4, say=lambda text: None)}
    after = fingerprints(place, "hw", "submissions") | fingerprints(LESSON.folder) | fingerprints(PACKAGE / "assignments")
    server.shutdown()
    return {"results": results, "place": place, "heard": heard, "unchanged": before == after, "way": request.param}


@pytest.mark.parametrize("way", WAYS)
def test_the_reference_of_a_prerequisite_cannot_be_found(way):
    """Lesson 03 without softmax: beside the submission runs the reference. Its file, its process, its code are out of reach."""
    lesson = find("03")
    key = read_lesson_key(lesson.folder, dict.fromkeys(("SECOND", "scores", "masked", "softmax", "attention", "split_heads", "grouped_attention"), 1))
    source = (lesson.folder / "solution.py").read_text(encoding="utf-8") + """
def softmax(x):
    return None
def attention(q, k, v):
    import gc, glob, sys, types
    sources = []
    for path in glob.glob("/tmp/*/*/*.py") + glob.glob("/box/*") + glob.glob("/proc/*/cwd/*") + glob.glob("/proc/*/root/box/*"):
        try:
            sources.append(open(path).read())
        except OSError:
            pass
    mine = open(__file__).read()
    for text in sources:
        if text != mine and "def attention" in text:
            space = {}
            exec(text, space)
            return space["attention"](q, k, v)
    for value in gc.get_objects():
        if isinstance(value, types.FunctionType) and value.__name__ == "attention" and value is not attention:
            return value(q, k, v)
    return None
"""
    found = {task["name"]: task["status"] for task in grade_lesson(key, source.encode(), 3, way, sandbox.Limits(seconds=5))}
    assert {name for name in found if found[name] != "passed"} == {"softmax", "attention"}, found


@pytest.mark.parametrize("way", WAYS)
def test_no_stream_of_answers_is_endless(way):
    """A check that lists what a function yields is stopped as the function is; so is one that never comes to its time limit."""
    source = b"def count():\n    n = 0\n    while True:\n        yield n\n        n += 1\ndef sleep():\n    import time\n    time.sleep(1000)\n"
    for name, ask in (("count", lambda function: list(function())), ("sleep", lambda function: function())):
        with box.Box({"s.py": source}, way, sandbox.Limits(seconds=0.5)) as running:
            running.give(5)
            function = running.peer.request("get", running.peer.request("load", running.file("s.py"), {}), name)
            running.give(0.5)
            began = time.monotonic()
            with pytest.raises(box.Gone, match="time"):
                ask(function)
            assert time.monotonic() - began <= 0.5 * box.LAST


def fingerprints(place, *names):
    """{path: what is in it} of every file, and the name of everything else."""
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else ""
            for name in names or (".",) for path in sorted((place / name).rglob("*")) if "__pycache__" not in path.parts}


@pytest.mark.parametrize("student", [*HOSTILE, "missing", "a_link", "a_folder", "linked_folder", "dots", "bomb"])
def test_an_attack_gains_nothing(student, graded):
    result = graded["results"][student]
    assert result["earned"] == 0, [(task["name"], task["status"]) for part in result["parts"] for task in part["tasks"]]
    for task in result["parts"][0]["tasks"]:
        assert task["status"] in ("failed", "error", "todo") and task["message"], task
        assert task["kind"] != "grader", "the grader's own process was brought down"


@pytest.mark.parametrize("student", HONEST)
def test_the_honest_are_not_disturbed(student, graded):
    result = graded["results"][student]
    assert result["earned"] == result["of"] - (student == "ends_after_a_task"), result


def test_no_file_of_the_grader_changed_and_nothing_was_heard(graded):
    assert graded["unchanged"]
    assert not graded["heard"] or graded["way"] == "user", "another user has the network"
    names = {path.name for path in (graded["place"] / "grades").iterdir()}
    assert names == {"grades.csv", "class.txt", "class.html", "students", "results", "grading.lock"}
    assert len(list((graded["place"] / "grades" / "results").iterdir())) == len(graded["results"])
    assert not Path("/etc/minillm").exists() and not (graded["place"] / f"{LESSON.name}.py").exists()


def test_nothing_outlives_its_limit(graded):
    """No process of this class is left: none below this one, and none that lost its parent. (Other tests may be grading meanwhile.)"""
    mine = str(graded["place"].resolve()).encode()
    left = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
            if mine in read(f"/proc/{pid}/cmdline") or b"box/child.py" in read(f"/proc/{pid}/cmdline")]
    assert not [pid for pid in left if pid not in (os.getpid(), os.getppid()) and (os.getpid() in above(pid) or not in_a_test_run(above(pid)))]


def above(pid):
    """The parents of a process, nearest first; none of one that has ended."""
    found = []
    while (status := read(f"/proc/{pid}/stat")) and pid > 1:
        pid = int(status.rpartition(b")")[2].split()[1])
        found.append(pid)
    return found


def in_a_test_run(pids):
    """Whether the last of these ended meanwhile, or one of them is a test run's own: another file's class, still being graded."""
    return not pids or any(b"pytest" in read(f"/proc/{pid}/cmdline") for pid in pids)


def read(path):
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("student, kind", [
    ("endless_loop", "time"), ("ignores_sigterm", "time"), ("os_exit", "exit"), ("os_exit_when_read", "exit"), ("print_bomb", "output"), ("syntax_error", "syntax"),
    ("missing", "file"), ("a_link", "file"), ("sys_exit", "exception"), ("memory_bomb_that_is_shared", "memory")])
def test_who_is_stopped_is_told_why(student, kind, graded):
    assert {task["name"]: task["kind"] for task in graded["results"][student]["parts"][0]["tasks"]}["perplexity"] == kind


def test_reports_show_nothing_that_is_hidden(graded):
    secret = (graded["place"] / "hw" / "key" / "secret.json").read_text(encoding="utf-8")
    seed = re.search(r'"seed": "(\w+)"', secret)[1]
    for path in (graded["place"] / "grades" / "students").iterdir():
        text = path.read_text(encoding="utf-8")
        assert seed not in text and "right is" not in text and "\x1b" not in text
