"""One running submission: a child in a sandbox, asked by way of two pipes, watched, and ended with all that it started."""

import contextlib
import functools
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from minillm.assignments import peer, processes, wire
from minillm.assignments.sandbox import ENVIRONMENT, Limits, bubblewrap_command, package_folders, python, rlimits

HERE = Path(__file__).parent
FILES = ("child.py", "wire.py", "peer.py")           # all of minillm that goes into a sandbox
PRINTED = 4000                                       # characters of output that are kept
FIRST_USER, GRADERS = 60578, 200                     # users that no system gives away: three for each process that grades (as root)
OWN, HELPED, REFERENCE = range(3)                    # what a box is for: boxes that are open at a time are of different users
PATIENCE, LAST = 3, 100                              # seconds asleep, and seconds by the clock whatever happens, for each second of a core


class Gone(BaseException):
    """The submission's process ended, or was ended. `reason`: time, memory, processes, output, exit, channel, start."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason


class Box:
    """A running child: `peer` asks it. A context manager, which leaves nothing behind.

    files: {name: bytes} that it finds in its folder. `role`: OWN, HELPED or REFERENCE.
    """

    def __init__(self, files: dict[str, bytes], way: str, limits: Limits, role: int = OWN, jax: bool = False):
        self.way, self.limits = way, limits
        self.user = FIRST_USER + 3 * (os.getpid() % GRADERS) + role if way != "none" and os.getuid() == 0 else None
        self.reason, self.printed = None, ""
        self.place = Path(tempfile.mkdtemp(prefix="minillm-box-"))
        for folder in (self.place, self.place / "box", self.place / "empty", self.place / "packages"):
            folder.mkdir(exist_ok=True)
            self.open_to_user(folder, 0o750)
        for name, data in {**{name: (HERE / name).read_bytes() for name in FILES}, **files}.items():
            (self.place / "box" / name).write_bytes(data)
            self.open_to_user(self.place / "box" / name, 0o640)
        if way == "user":
            processes.end_user(self.user)                           # what a grader that was killed could not end
        self.process = subprocess.Popen(self.command(jax), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=os.environ | ENVIRONMENT if os.name == "nt" else ENVIRONMENT,
                                        cwd=self.place / "box", start_new_session=os.name != "nt")
        self.outgoing, self.incoming = queue.Queue(), queue.Queue(2)       # who sends more than was asked for has to wait
        self.pumps = [threading.Thread(target=pump, daemon=True) for pump in (self.write, self.read, self.drain)]
        for pump in self.pumps:
            pump.start()
        self.watch, self.members, self.beside = None, lambda: [], []       # beside: boxes that this one waits for
        if sys.platform.startswith("linux"):
            self.members = functools.partial(processes.of_user, self.user) if way == "user" else functools.partial(processes.tree, self.process.pid)
            self.watch = processes.Watch(self.members, int(1.5 * limits.memory * 2**20), limits.processes + 8, self.end)
            self.watch.start()
        self.peer = Asker(self.outgoing.put, self.receive, ("call", "next", "get", "array"), modest)
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

    def open_to_user(self, path: Path, mode: int):
        """Readable to the user of this run alone: the box beside it may hold the reference."""
        path.chmod(mode)
        if self.user is not None:
            os.chown(path, 0, self.user)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def file(self, name: str) -> str:
        """The path at which the child sees one of its files."""
        return f"/box/{name}" if self.way == "bubblewrap" else str(self.place / "box" / name)

    def give(self, seconds: float):
        """The child has this long from now."""
        self.given, self.began = seconds, time.monotonic()
        self.used, self.wanted = self.spent()
        self.deadline = self.began + seconds

    def spent(self) -> tuple[float, float]:
        """(seconds of a core that the child has used, seconds that it, the grader and the boxes beside it have wanted one)."""
        if self.watch is None:
            return 0.0, 0.0
        mine = self.members()
        return processes.seconds(mine), processes.wanted([*mine, os.getpid(), *(pid for box in self.beside for pid in box.members())])

    def has_time(self) -> bool:
        """At the deadline: was the machine too busy to give the child its seconds, or did it only sleep? Then it gets what is left."""
        gone, (used, wanted) = time.monotonic() - self.began, self.spent()
        left = min(self.given - (used - self.used), PATIENCE * self.given - (gone - (wanted - self.wanted)), LAST * self.given - gone)
        self.deadline = time.monotonic() + max(left, 0.02)
        return self.watch is not None and left > 0.02

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
                if time.monotonic() <= self.deadline or self.has_time():
                    break
            except queue.Empty:
                if self.has_time():
                    continue
            self.end("time")
            raise Gone("time")
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
        while self.pumps[1].is_alive():                               # it may be waiting for a place
            with contextlib.suppress(queue.Empty):
                self.incoming.get(timeout=0.01)
        self.pumps[2].join(1)                                         # what it printed last
        if self.way == "user":
            sweep(self.user)
        for pipe in (self.process.stdout, self.process.stderr, self.process.stdin):
            try:
                pipe.close()
            except (OSError, ValueError):
                pass
        shutil.rmtree(self.place, ignore_errors=True)


class Asker(peer.Peer):
    """The grader's end. Of what it hands out a submission may call functions and step iterators, and wait for results as JAX's are waited for."""

    def do_get(self, number, name):
        if name != "block_until_ready":
            raise AttributeError(name)
        return super().do_get(number, name)

    def do_array(self, number):
        if not hasattr(type(self.mine(number)), "__array__"):
            raise TypeError("not an array")
        return np.asarray(self.mine(number))


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
        left -= 1 + getattr(value, "size", 0) if not isinstance(value, peer.Handle) else 1
        if left < 0 or any(n > longest for n in shape):
            raise wire.Refused("the arguments are too large")
        if isinstance(value, (list, tuple, set, frozenset)):
            waiting += value
        elif isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
