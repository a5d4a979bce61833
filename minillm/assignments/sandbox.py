"""Where submissions run. Three ways, from the best to none:

    bubblewrap   Linux, with or without root: a root folder of its own that holds Python's library, NumPy (JAX where a lesson needs
                 it) and the submission, all read-only; 16 MB of /tmp; no network; process ids of its own, so that all end at once
    user         Linux, root, no bubblewrap (most containers): another user for each submission at a time; minillm and the key must
                 not be readable to it, and that is tried before anything is graded. There is no wall around the network or other files
    none         anywhere, and only when asked for: limits on time and, but on Windows, memory; no protection against malice

In all of them the process gets nothing of minillm but child.py and wire.py, runs under limits, and is killed with all that it started.
"""

import functools
import glob
import importlib.util
import json
import os
import queue
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from minillm.assignments import processes, wire
from minillm.errors import UserError

HERE = Path(__file__).parent
PATIENCE = 6                                         # seconds by the clock for each second of a core
PRINTED = 4000                                       # characters of output that are kept
FIRST_USER = 61100                                   # users of ways "bubblewrap" (as root) and "user": one for each worker
NUMPY = ("numpy", "numpy.libs")
JAX = ("jax", "jaxlib", "ml_dtypes", "opt_einsum", "scipy", "scipy.libs")
THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}       # one each: faster in parallel, and deterministic
ENVIRONMENT = THREADS | {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "JAX_PLATFORMS": "cpu"}


@dataclass(frozen=True)
class Limits:
    """`seconds` for one task, `start` for Python and its libraries, `memory` in MB and `processes` (threads are counted) for all
    processes together, `output` in MB of printed text; more ends the process.

    Seconds are those of a core, on Linux, so that a busy machine changes no score; by the clock there may be PATIENCE times as many.
    """

    seconds: float = 10.0
    start: float = 60.0
    memory: int = 1024
    processes: int = 64
    output: int = 16

    def with_jax(self) -> "Limits":
        """JAX starts threads by the number of cores, and compiles."""
        return Limits(3 * self.seconds, 2 * self.start, max(self.memory, 3072), max(self.processes, 512), self.output)


class Gone(BaseException):
    """The submission's process ended, or was ended. `reason`: time, memory, processes, output, exit, channel, start."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


# ---- Commands ------------------------------------------------------------------------------------------------------

def python() -> str:
    return os.path.realpath(sys.executable)


@functools.cache
def package_folders(jax: bool) -> dict[str, str]:
    """Where the libraries are that a submission may import: {name: folder}."""
    found = {}
    for name in NUMPY + (JAX if jax else ()):
        owner = importlib.util.find_spec(name.removesuffix(".libs"))
        if owner and owner.submodule_search_locations:
            folder = Path(list(owner.submodule_search_locations)[0])
            folder = folder.with_name(name)
            if folder.is_dir():
                found[name] = str(folder)
    return found


@functools.cache
def bubblewrap_options() -> str:
    """What `bwrap --help` says, or nothing where there is none."""
    if not sys.platform.startswith("linux") or not shutil.which("bwrap"):
        return ""
    return subprocess.run(["bwrap", "--help"], capture_output=True, text=True, errors="replace").stdout


def bubblewrap_command(place: Path, jax: bool) -> list[str]:
    """bwrap and its options: the whole of what the process sees. `place`/box holds the files of this run, `place`/empty nothing."""
    root = os.getuid() == 0
    command = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent",
               "--new-session", "--hostname", "box"]
    command += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"] if root else ["--unshare-user", "--cap-drop", "ALL"]
    shown, folders = [], set()
    def bind(source, path):
        for folder in reversed(Path(path).parents):                 # made by hand, so that everyone may enter them
            if folder not in folders and not any(str(folder).startswith(other + "/") or str(folder) == other for other in shown):
                folders.add(folder)
                command.extend(["--dir", str(folder)] if str(folder) != "/" else [])
        command.extend(["--ro-bind", str(source), str(path)])
    def show(path):
        if os.path.islink(path) and os.path.dirname(path) == "/":
            command.extend(["--symlink", os.readlink(path), path])
        elif os.path.exists(path) and not any(path == other or path.startswith(other + "/") for other in shown):
            bind(path, path)
            shown.append(path)
    for path in ("/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", python(),
                 os.path.realpath(sysconfig.get_path("stdlib")), os.path.realpath(sysconfig.get_path("platstdlib", vars={"platbase": sys.base_exec_prefix}))):
        show(path)
    for path in glob.glob(f"{sysconfig.get_config_var('LIBDIR')}/libpython3*.so*"):
        show(path)
    for folder in shown:                                            # installed packages, minillm among them perhaps
        for hidden in (*glob.glob(f"{folder}/*-packages"), *glob.glob(f"{folder}/python3*/*-packages")):
            bind(place / "empty", hidden)
    for name, folder in package_folders(jax).items():
        bind(folder, f"/packages/{name}")
    bind(place / "box", "/box")
    command += ["--proc", "/proc", "--dir", "/dev"]
    for device in ("null", "zero", "urandom", "random"):
        command += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    if "--size " in bubblewrap_options() and "--perms " in bubblewrap_options():
        command += ["--perms", "1777", "--size", str(16 * 2**20), "--tmpfs", "/tmp"]
    else:
        command += ["--dir", "/tmp"]                                # older than 0.8: nothing can be written at all
    return [*command, "--remount-ro", "/", "--chdir", "/box", "--", python()]


def rlimits(limits: Limits, way: str) -> dict[str, int]:
    """For child.py. No file can be written but in a sandbox's own /tmp."""
    most = int(limits.memory * 2**20)
    return {"RLIMIT_CORE": 0, "RLIMIT_DATA": most, "RLIMIT_NPROC": limits.processes, "RLIMIT_NOFILE": 256,
            "RLIMIT_FSIZE": 8 * 2**20 if way == "bubblewrap" else 0, "RLIMIT_CPU": int(20 * limits.seconds + limits.start),
            **({} if way != "none" else {"RLIMIT_NPROC": 4096})}


# ---- One process ---------------------------------------------------------------------------------------------------

class Box:
    """A running child: `peer` asks it. A context manager, which leaves nothing behind.

    files: {name: bytes} that it finds in its folder. `slot` tells workers apart that run at the same time.
    """

    def __init__(self, files: dict[str, bytes], way: str, limits: Limits, slot: int = 0, jax: bool = False):
        self.way, self.limits, self.user = way, limits, FIRST_USER + slot if way != "none" and os.getuid() == 0 else None
        self.reason, self.printed = None, ""
        self.place = Path(tempfile.mkdtemp(prefix="minillm-box-"))
        for folder in (self.place, self.place / "box", self.place / "empty", self.place / "packages"):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        for name, data in {"child.py": (HERE / "child.py").read_bytes(), "wire.py": (HERE / "wire.py").read_bytes(), **files}.items():
            (self.place / "box" / name).write_bytes(data)
            (self.place / "box" / name).chmod(0o644)
        if way == "user":
            processes.end_user(self.user)                           # what a grader that was killed could not end
        self.process = subprocess.Popen(self.command(jax), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=os.environ | ENVIRONMENT if os.name == "nt" else ENVIRONMENT,
                                        cwd=self.place / "box", start_new_session=os.name != "nt")
        self.outgoing, self.incoming = queue.Queue(), queue.Queue()
        for pump in (self.write, self.read, self.drain):
            threading.Thread(target=pump, daemon=True).start()
        self.watch, self.members = None, lambda: []
        if sys.platform.startswith("linux"):
            self.members = functools.partial(processes.of_user, self.user) if way == "user" else functools.partial(processes.tree, self.process.pid)
            self.watch = processes.Watch(self.members, int(1.5 * limits.memory * 2**20), limits.processes + 8, self.end)
            self.watch.start()
        self.peer = Asker(self.outgoing.put, self.receive, ("call", "next", "get"), modest)
        self.give(limits.start)
        try:
            if self.peer.read(self.receive()) != ("value", "ready"):
                raise Gone("start")
        except BaseException as error:
            self.close()
            raise Gone(f"start: {' '.join(self.printed.split())[-300:]}") from error

    def command(self, jax: bool) -> list[str]:
        settings = {"uid": self.user, "limits": rlimits(self.limits, self.way), "jax": jax, "path": "/packages"}
        if self.way == "bubblewrap":
            start, box = bubblewrap_command(self.place, jax), "/box"
        else:
            start, box, settings["path"] = [python()], str(self.place / "box"), str(self.place / "packages")
            for name, folder in package_folders(jax).items():
                try:
                    (self.place / "packages" / name).symlink_to(folder)
                except OSError:                                     # Windows without the right to make links
                    settings["path"] = str(Path(folder).parent)
        return [*start, "-B", "-s", "-S", "-P", f"{box}/child.py", json.dumps(settings)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def file(self, name: str) -> str:
        """The path at which the child sees one of its files."""
        return f"/box/{name}" if self.way == "bubblewrap" else str(self.place / "box" / name)

    def give(self, seconds: float):
        """The child has this long from now."""
        self.given, self.used = seconds, processes.seconds(self.members())
        self.deadline = time.monotonic() + seconds
        self.last = self.deadline + (PATIENCE - 1) * seconds * (self.watch is not None)

    def has_time(self) -> bool:
        """At the deadline: has the machine been too busy to give the child its seconds? Then it gets what is left of them."""
        left = self.given - (processes.seconds(self.members()) - self.used)
        self.deadline = min(time.monotonic() + left, self.last)
        return left > 0.02 and time.monotonic() < self.last - 0.02

    # Three threads move bytes, so that nothing here ever waits for the child longer than it may.

    def write(self):
        try:
            while (payload := self.outgoing.get()) is not None:
                self.process.stdin.write(len(payload).to_bytes(8, "little") + payload)
                self.process.stdin.flush()
        except (OSError, ValueError):
            pass

    def read(self):
        try:
            while len(head := self.process.stdout.read(8)) == 8:
                size = int.from_bytes(head, "little")
                if size > wire.FRAME or len(payload := self.process.stdout.read(size)) < size:
                    self.incoming.put(Gone("channel"))
                    break
                self.incoming.put(payload)
        except (OSError, ValueError, MemoryError):
            pass
        self.incoming.put(None)

    def drain(self):
        seen, kept = 0, []
        try:
            while chunk := self.process.stderr.read1(65536):
                if seen < PRINTED:
                    kept.append(chunk[: PRINTED - seen])
                    self.printed = b"".join(kept).decode("utf-8", "replace")
                seen += len(chunk)
                if seen > self.limits.output * 2**20:
                    return self.end("output")
        except (OSError, ValueError):
            pass

    def receive(self) -> bytes:
        """The next payload. Raises Gone."""
        while True:
            try:
                payload = self.incoming.get(timeout=max(self.deadline - time.monotonic(), 0))
                break
            except queue.Empty:
                if not self.has_time():
                    self.end("time")
                    raise Gone("time") from None
        if payload is None:
            self.process.poll()
            time.sleep(0.15 if self.watch and not self.reason else 0)        # who ended it may be about to say why
            self.reason = self.reason or "exit"
            raise Gone(self.reason)
        if isinstance(payload, Gone):
            self.end("channel")
            raise payload
        return payload

    def end(self, reason: str):
        """Kill it with all that it started; the first reason stays."""
        self.reason = self.reason or reason
        processes.end_group(self.process)
        if self.way == "user":
            processes.end_user(self.user)

    def close(self):
        if self.watch:
            self.watch.over.set()
        self.end("done")
        self.outgoing.put(None)
        self.process.wait()
        if self.way == "user":
            sweep(self.user)
        for pipe in (self.process.stdout, self.process.stderr, self.process.stdin):
            try:
                pipe.close()
            except (OSError, ValueError):
                pass
        shutil.rmtree(self.place, ignore_errors=True)


class Asker(wire.Peer):
    """The grader's end. Of what it hands out a submission may call functions and step iterators, and wait for results as JAX's are waited for."""

    def do_get(self, number, name):
        if name != "block_until_ready":
            raise AttributeError(name)
        return super().do_get(number, name)


def sweep(user: int):
    """Remove what a user has left in the folders where everyone may write: file names could tell another submission something."""
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            path = os.path.join(folder, name)
            if os.lstat(path).st_uid == user:
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    os.unlink(path)


def modest(value, most=200_000, longest=2048):
    """Refuse arguments with which a submission calls back that are larger than any honest ones. Raises Refused."""
    left = most
    waiting = [value]
    while waiting:
        value = waiting.pop()
        shape = getattr(value, "shape", ())
        left -= 1 + getattr(value, "size", 0) if not isinstance(value, wire.Handle) else 1
        if left < 0 or any(n > longest for n in shape):
            raise wire.Refused("the arguments are too large")
        if isinstance(value, (list, tuple, set, frozenset)):
            waiting += value
        elif isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]


# ---- Which way -----------------------------------------------------------------------------------------------------

def works(way: str, secrets: tuple[Path, ...] = (), slot: int = 0) -> str:
    """Try a way: "" if a child starts in it, answers, and can read none of `secrets`; else why not."""
    if way == "bubblewrap" and not bubblewrap_options():
        return "bubblewrap is not installed"
    if way == "user" and not (sys.platform.startswith("linux") and os.getuid() == 0):
        return "needs root, on Linux"
    probe = b"import os\ndef readable(path):\n    try:\n        return bool(os.listdir(path)) if os.path.isdir(path) else bool(open(path, 'rb').read(1))\n    except OSError:\n        return False\n"
    try:
        with Box({"probe.py": probe}, way, Limits(), slot) as box:
            box.give(20)
            module = box.peer.request("load", box.file("probe.py"), {})
            readable = box.peer.request("get", module, "readable")
            for path in secrets:
                if readable(str(path)):
                    return f"{path} could be read by a submission"
    except Gone as gone:
        return f"a process did not start in it ({gone.reason})"
    except Exception as error:
        return f"a process did not answer in it ({error})"
    return ""


def choose(way: str, secrets: tuple[Path, ...] = (), slot: int = 0) -> str:
    """The way to use: what was asked for, or the best one that works. Raises UserError."""
    tried = {}
    for name in (("bubblewrap", "user") if way == "auto" else (way,)):
        tried[name] = works(name, secrets if name != "none" else (), slot)
        if not tried[name]:
            return name
    reasons = "; ".join(f"{name}: {reason}" for name, reason in tried.items())
    raise UserError(f"--sandbox {way}: no submission is run here ({reasons}). On Linux, install bubblewrap (apt install bubblewrap). Elsewhere grade in a "
                    f"Linux container or on Gradescope; --sandbox none runs submissions with your own rights, for files that you trust")
