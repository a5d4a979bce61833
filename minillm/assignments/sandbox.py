"""Where submissions run. Three ways, from the best to none:

    bubblewrap   Linux, with or without root: a root folder of its own that holds Python's library, NumPy (JAX where a lesson needs
                 it) and the submission, all read-only; 16 MB of /tmp; no network; process ids of its own, so that all end at once
    user         Linux, root, no bubblewrap (most containers): another user for each submission at a time; minillm and the key must
                 not be readable to it, and that is tried before anything is graded. There is no wall around the network or other files
    none         anywhere, and only when asked for: limits on time and, but on Windows, memory; no protection against malice

In all of them the process gets nothing of minillm but child.py, wire.py and peer.py, runs under limits, and is killed with all that it started.
"""

import functools
import glob
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from minillm.errors import UserError

NUMPY = ("numpy", "numpy.libs")
JAX = ("jax", "jaxlib", "ml_dtypes", "opt_einsum", "scipy", "scipy.libs")
THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}       # one each: faster in parallel, and deterministic
ENVIRONMENT = THREADS | {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "JAX_PLATFORMS": "cpu"}


@dataclass(frozen=True)
class Limits:
    """`seconds` for one task, `start` for Python and its libraries, `memory` in MB and `processes` (threads are counted) for all
    processes together, `output` in MB of printed text; more ends the process.

    Seconds are those of a core, on Linux, so that a busy machine changes no score. Three times as many may go by in which neither
    the process nor the grader wants a core: that is for who sleeps.
    """

    seconds: float = 10.0
    start: float = 60.0
    memory: int = 1024
    processes: int = 64
    output: int = 16

    def with_jax(self) -> "Limits":
        """JAX starts threads by the number of cores, and compiles."""
        return Limits(3 * self.seconds, 2 * self.start, max(self.memory, 3072), max(self.processes, 512), self.output)


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


# ---- Which way -----------------------------------------------------------------------------------------------------

def works(way: str, secrets: tuple[Path, ...] = ()) -> str:
    """Try a way: "" if a child starts in it, answers, and can read none of `secrets`; else why not."""
    from minillm.assignments.box import Box, Gone
    if way == "bubblewrap" and not bubblewrap_options():
        return "bubblewrap is not installed"
    if way == "user" and not (sys.platform.startswith("linux") and os.getuid() == 0):
        return "needs root, on Linux"
    probe = b"import os\ndef readable(path):\n    try:\n        return bool(os.listdir(path)) if os.path.isdir(path) else bool(open(path, 'rb').read(1))\n    except OSError:\n        return False\n"
    try:
        with Box({"probe.py": probe}, way, Limits()) as box:
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


def choose(way: str, secrets: tuple[Path, ...] = ()) -> str:
    """The way to use: what was asked for, or the best one that works. Raises UserError."""
    tried = {}
    for name in (("bubblewrap", "user") if way == "auto" else (way,)):
        tried[name] = works(name, secrets if name != "none" else ())
        if not tried[name]:
            return name
    reasons = "; ".join(f"{name}: {reason}" for name, reason in tried.items())
    raise UserError(f"--sandbox {way}: no submission is run here ({reasons}). On Linux, install bubblewrap (apt install bubblewrap). Elsewhere grade in a "
                    f"Linux container or on Gradescope; --sandbox none runs submissions with your own rights, for files that you trust")
