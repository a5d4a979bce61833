"""Process trees on Linux, from /proc: how many processes there are, how much memory they hold, and an end to all of them."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
END_ALL = "import os, signal; u = {uid}; os.setgroups([]); os.setgid(u); os.setuid(u); os.kill(-1, signal.SIGKILL)"


def tree(root: int) -> list[int]:
    """A process and all below it, as far as /proc shows."""
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        with contextlib.suppress(OSError, ValueError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                waiting += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
        if len(found) > 10_000:
            break
    return found


def of_user(uid: int) -> list[int]:
    """All processes of a user."""
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:
                found.append(int(name))
    return found


def memory(pids) -> int:
    """Bytes that are held by processes, pages that they share counted each time."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    return total


def seconds(pids) -> float:
    """Seconds of a core that processes, and those of their children that have ended, have used."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            total += sum(map(int, Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[11:15]))
    return total / TICKS


def wanted(pids) -> float:
    """Seconds in which threads that still live have run or waited for a core: what they wanted of the machine."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                total += sum(map(int, Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[:2]))
    return total / 1e9


def end_user(uid: int):
    """Kill every process of a user at once, as that user, until none is left. Needs root."""
    for _ in range(50):
        if not of_user(uid):
            return
        subprocess.run([sys.executable, "-I", "-S", "-c", END_ALL.format(uid=uid)], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def end_group(process: subprocess.Popen):
    """Kill a process that leads a group, and the group."""
    with contextlib.suppress(OSError, AttributeError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        process.kill()


class Watch(threading.Thread):
    """Looks at `members()` ten times a second; calls `end(reason)` when they are too many or too large together."""

    def __init__(self, members, most_memory: int, most_processes: int, end):
        super().__init__(daemon=True)
        self.members, self.most_memory, self.most_processes, self.end = members, most_memory, most_processes, end
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            pids = self.members()
            if len(pids) > self.most_processes:
                return self.end("processes")
            if memory(pids) > self.most_memory:
                return self.end("memory")


def die_with_parent():
    """In a new process: be killed when the one that started it ends (Linux)."""
    with contextlib.suppress(Exception):
        import ctypes
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
