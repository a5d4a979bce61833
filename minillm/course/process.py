"""Runs an exercise in a process of its own, under limits, and reads its answers when the process
has ended.

    answers = ask(job, limits, sandbox)     # a sandbox of assignments/sandbox.py, or None

Nothing of the process is believed: what it did is a file of plain values (plain.py), how long it
took is measured from outside. `minillm lesson check`, `minillm assignment check` and `minillm
assignment grade` all ask in this way.
"""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import psutil

from minillm.course import plain

HERE = Path(__file__).parent
FILES = ("child.py", "plain.py")  # all of minillm that is beside an exercise that runs
FILE = "the_exercise.py"
NUMPY = ("numpy", "numpy.libs")
JAX = ("jax", "jaxlib", "ml_dtypes", "opt_einsum", "scipy", "scipy.libs")
PRINTED = 4000  # characters of output that are kept
ANSWERS = 128 * 2**20  # bytes of all answers of a process
PATIENCE = 3  # seconds by the clock for each second of a core
TICK = 0.03  # seconds between two looks at the process
RECORDS = 50  # that are read in one look
TREE = 0.5  # seconds between two looks for processes below it, which reads all of /proc
THREADS = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ENVIRONMENT = THREADS | {
    "PATH": "/usr/bin:/bin",
    "HOME": "/",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "JAX_PLATFORMS": "cpu",
}


@dataclass(frozen=True)
class Limits:
    """What one exercise may use. Seconds are those of a core; three times as many may go by on
    the clock.

    seconds: a task, or reading the file. total: all tasks of a file, in all its processes. start:
    Python and its libraries. memory: MB. threads: at a time. output: MB of printed text.
    """

    seconds: float = 10.0
    total: float = 60.0
    start: float = 60.0
    memory: int = 1024
    threads: int = 64
    output: int = 16

    def with_jax(self) -> "Limits":
        """JAX starts threads by the number of cores, and compiles."""
        return replace(self, seconds=3 * self.seconds, total=3 * self.total, start=2 * self.start,
                       memory=max(self.memory, 3072), threads=max(self.threads, 512))


@dataclass
class Job:
    """What a process is to do: `file` with the answers to `tasks`, [(name, by_hand, cases)].

    asking: the source of the lesson's asking.py, or "". lent: source in which the functions
    `names` are, which take the place of the student's.
    """

    file: bytes
    tasks: list
    asking: str = ""
    lent: str = ""
    names: list = field(default_factory=list)
    jax: bool = False


@dataclass(frozen=True)
class Stopped:
    """In place of the answers to a task: why the process had to end, or ended. reason: see
    Answers.
    """

    reason: str


@dataclass
class Answers:
    """`of` {task: answers}. reason: why the process was ended or ended early ("" if it did
    neither): time, total, memory, output, exit, start; it was then busy with the task `during`,
    or "" with reading the file. file: the exception that reading the file raised. printed: the
    beginning of what it printed. seconds: of a core."""

    of: dict = field(default_factory=dict)
    reason: str = ""
    during: str = ""
    file: plain.Raises | None = None
    printed: str = ""
    seconds: float = 0.0
    clock: float = 0.0


def python() -> str:
    return os.path.realpath(sys.executable)


@cache
def package_folders(jax: bool) -> dict[str, str]:
    """Where the libraries are that an exercise may import: {name: folder}."""
    folders = {}
    for name in NUMPY + (JAX if jax else ()):
        owner = importlib.util.find_spec(name.removesuffix(".libs"))
        if owner and owner.submodule_search_locations:
            folder = Path(list(owner.submodule_search_locations)[0]).with_name(name)
            if folder.is_dir():
                folders[name] = str(folder)
    return folders


class Without:
    """No sandbox: for a student's own file. Limits hold where the system has them."""

    name = "none"
    uid = None
    seccomp = None
    fds = ()
    environment: dict = {}

    def command(self, place: Path, jax: bool) -> tuple[list[str], str, str]:
        """(how a program is started, where it finds its files, where the libraries are)."""
        packages = place / "packages"
        packages.mkdir()
        _give(packages, self.uid, 0o750)
        for name, folder in package_folders(jax).items():
            try:
                (packages / name).symlink_to(folder)
            except OSError:  # Windows without the right to make links
                return [python()], str(place / "box"), str(Path(folder).parent)
        return [python()], str(place / "box"), str(packages)

    def limits(self, limits: Limits) -> dict[str, int]:
        return {"RLIMIT_CORE": 0, "RLIMIT_DATA": limits.memory * 2**20, "RLIMIT_FSIZE": ANSWERS}

    def end(self):
        pass


@dataclass
class Spent:
    """What a file has used so far: seconds of a core, and by the clock."""

    seconds: float = 0.0
    clock: float = 0.0

    def left(self, limits: Limits) -> tuple[float, float]:
        return limits.total - self.seconds, PATIENCE * limits.total - self.clock


def ask(job: Job, limits: Limits, sandbox=None, spent: Spent | None = None) -> Answers:
    """Run a job to its end; adds to `spent`."""
    spent = spent or Spent()
    sandbox = sandbox or Without()
    with _folder() as place:
        box = place / "box"
        for folder in (place, box, place / "empty"):
            folder.mkdir(exist_ok=True)
            _give(folder, sandbox.uid, 0o750)
        values = {name: getattr(job, name) for name in ("asking", "lent", "names", "jax")}
        start, seen_as, packages = sandbox.command(place, job.jax)
        values["file"] = f"{seen_as}/{FILE}"
        files = {name: (HERE / name).read_bytes() for name in FILES}
        files |= {FILE: job.file,
                  "job": plain.record(values) + plain.record(job.tasks, inwards=True)}
        if sandbox.seccomp:
            files["filter"] = sandbox.seccomp
        for name, data in files.items():
            (box / name).write_bytes(data)
            _give(box / name, sandbox.uid, 0o640)
        settings = {
            "job": f"{seen_as}/job",
            "path": packages,
            "uid": sandbox.uid,
            "limits": sandbox.limits(limits),
            "seccomp": f"{seen_as}/filter" if sandbox.seccomp else None,
        }
        command = [*start, "-I", "-S", "-B", f"{seen_as}/child.py", json.dumps(settings)]
        with open(place / "answers", "w+b") as answers:
            process = _Process(command, box, answers, limits, sandbox)
            process.watch([name for name, _, _ in job.tasks], *spent.left(limits))
            result = process.result
            spent.seconds, spent.clock = spent.seconds + result.seconds, spent.clock + result.clock
            _read(answers, job, result)
    return result


def ask_all(job: Job, limits: Limits, sandbox_of=Without, spent: Spent | None = None) -> Answers:
    """Run a job, and again without the task that ended it, until every task has answers or is
    Stopped.

    Where reading the file itself ended the process, `during` is "" and `of` empty.
    """
    left, whole, printed, spent = list(job.tasks), Answers(), "", spent or Spent()
    while left:
        result = ask(replace(job, tasks=left), limits, sandbox_of(), spent)
        if result.reason.startswith("start"):
            raise RuntimeError(
                f"a process did not start ({result.reason}): {result.printed.strip()[-300:]}")
        printed += result.printed
        whole.file, whole.of = result.file, whole.of | result.of
        if result.file or result.reason and not result.during and not whole.of:
            whole.reason = result.reason
            break
        left = [task for task in left if task[0] not in whole.of]
        if left:  # it ended with this task; the rest has no time left if the file's is spent
            whole.of[left.pop(0)[0]] = Stopped(result.reason.partition(":")[0])
        if min(spent.left(limits)) <= 0:
            whole.of |= {name: Stopped("total") for name, _, _ in left}
            break
    whole.printed = printed[:PRINTED]
    return whole


@contextlib.contextmanager
def _folder():
    """A temporary folder that names its maker, so that `sweep` finds those of a maker that was
    killed.
    """
    me = psutil.Process()
    place = Path(tempfile.mkdtemp(prefix=f"minillm-box-{me.pid}-{int(me.create_time())}-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def sweep():
    """Remove what runs that were killed have left in the temporary folder."""
    for place in Path(tempfile.gettempdir()).glob("minillm-box-*-*-*"):
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            _, _, pid, started, _ = place.name.split("-", 4)
            alive = (psutil.pid_exists(int(pid))
                     and abs(psutil.Process(int(pid)).create_time() - int(started)) < 2)
            if (not alive and not place.is_symlink()
                and (os.name == "nt" or place.stat().st_uid == os.getuid())):
                shutil.rmtree(place, ignore_errors=True)


def _give(path: Path, uid: int | None, mode: int):
    """Readable to the user of this run alone."""
    path.chmod(mode)
    if uid is not None:
        os.chown(path, 0, uid)


class _Process:
    """The running exercise, looked at from outside."""

    def __init__(self, command, folder, answers, limits, sandbox):
        self.limits, self.sandbox, self.answers, self.result, self.at = (
            limits,
            sandbox,
            answers,
            Answers(),
            0,
        )
        environment = (os.environ | ENVIRONMENT if os.name == "nt"
                       else ENVIRONMENT | sandbox.environment)
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=answers,
                                        stderr=subprocess.PIPE, env=environment, cwd=folder,
                                        start_new_session=os.name != "nt", pass_fds=sandbox.fds)
        for fd in sandbox.fds:
            os.close(fd)
        self.tree, self.looked, self.first = [psutil.Process(self.process.pid)], 0.0, {}
        self.drain = threading.Thread(target=self._drain, daemon=True)
        self.drain.start()

    def _drain(self):
        length, beginning = 0, b""
        with contextlib.suppress(OSError, ValueError):
            while chunk := self.process.stderr.read1(65536):
                if length < PRINTED:
                    beginning += chunk[: PRINTED - length]
                    self.result.printed = beginning.decode("utf-8", "replace")
                length += len(chunk)
                if length > self.limits.output * 2**20:
                    return self._end("output")

    def _end(self, reason: str):
        self.result.reason = self.result.reason or reason
        with contextlib.suppress(OSError, AttributeError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self.process.kill()

    def _used(self) -> tuple[float, int]:
        """(seconds of a core, bytes of memory) of the process and all below it, also of those
        that have ended.
        """
        seconds, memory = 0.0, 0
        if time.monotonic() - self.looked > TREE:
            self.looked = time.monotonic()
            with contextlib.suppress(psutil.Error):
                self.tree[1:] = self.tree[0].children(recursive=True)
        for process in self.tree:
            with contextlib.suppress(psutil.Error):
                now = sum(process.cpu_times()[:4])
                seconds += now - self.first.setdefault(process.pid, now)
                memory += process.memory_info().rss
        return seconds, memory

    def _progress(self) -> list:
        """The short records written since the last look, which say where it is. Nothing is judged
        by them.
        """
        new = []
        with open(self.answers.name, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            for _ in range(RECORDS):  # more in one look are nobody's progress
                if self.at + 8 > size:
                    break
                file.seek(self.at)
                length = int.from_bytes(file.read(8), "little")
                if self.at + 8 + length > size:
                    break
                if length < 1000:
                    with contextlib.suppress(plain.Refused):
                        new.append(plain.read(file.read(length)))
                self.at += 8 + length
        return new

    def watch(self, names: list[str], total: float, clock: float):
        """Wait for the end of the process, or end it when it uses more than it may."""
        limits, result = self.limits, self.result
        ready, used, began = False, 0.0, time.monotonic()
        start_used = start_began = 0.0
        most, may, waiting = limits.start, PATIENCE * limits.start, list(names)
        try:
            while self.process.poll() is None and not result.reason:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(TICK)
                    break
                news = self._progress()
                self.looked = 0.0 if news and not ready else self.looked
                seconds, memory = self._used()
                now = time.monotonic()
                for value in news:
                    if value == "ready" and not ready:
                        ready, start_used, start_began = True, seconds, now
                    elif ready and waiting and value == ["task", waiting[0]]:
                        result.during = waiting.pop(0)
                    else:
                        continue
                    used, began, most, may = seconds, now, limits.seconds, PATIENCE * limits.seconds
                if ready:
                    result.seconds, result.clock = seconds - start_used, now - start_began
                if seconds - used > most or now - began > may:
                    self._end("time" if ready else "start")
                elif ready and (result.seconds > total or result.clock > clock):
                    self._end("total")
                elif memory > (limits.memory + 512) * 2**20:
                    self._end("memory")
                elif os.fstat(self.answers.fileno()).st_size > ANSWERS:
                    self._end("output")
        finally:
            status = self.process.poll()
            self._end(result.reason)
            self.process.wait()
            self.sandbox.end()
            self.drain.join(1)
            self.process.stderr.close()
        if not result.reason and status != 0:
            result.reason = "exit"


def _read(answers, job: Job, result: Answers):
    """The answers that the file holds, in the order of the tasks; whatever else it holds is
    nothing.
    """
    answers.seek(0)
    result.during = ""
    try:
        rows = iter(plain.records(answers.read(ANSWERS + 1)))
        if plain.read(next(rows, b"")) != "ready":
            raise plain.Refused("it is not ready")
        for name, _, cases in job.tasks:
            head = plain.read(next(rows))
            if (isinstance(head, list) and len(head) == 2 and head[0] == "file"
                and isinstance(head[1], plain.Raises)):
                result.file = head[1]
                return
            if head != ["task", name]:
                raise plain.Refused("another task")
            result.during = name
            body = plain.read(next(rows))
            if not (isinstance(body, list) and len(body) == 2 and body[0] == "answers"
                    and isinstance(body[1], list)):
                raise plain.Refused("no answers")
            values = body[1]
            whole = len(values) == len(cases) or values and isinstance(values[-1], plain.NotWritten)
            if not whole or len(values) > len(cases):
                raise plain.Refused("another number of answers")
            result.of[name] = values
            result.during = ""
    except StopIteration:
        result.reason = result.reason or "exit"
    except plain.Refused as error:
        result.reason = result.reason or f"answers: {error}"
