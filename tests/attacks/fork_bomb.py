"""Makes processes without end, by every call that can."""

import ctypes
import os
import subprocess

ONCE = True


def attack(name, arguments):
    libc, made = ctypes.CDLL(None), 0
    for _ in range(100):
        for make in (
            os.fork,
            lambda: subprocess.Popen(["/bin/true"]),
            lambda: os.posix_spawn("/usr/bin/python3", ["x"], {}),
            lambda: libc.vfork() > 0 or 1 / 0,
        ):
            try:
                make()
                made += 1
            except (OSError, ZeroDivisionError):
                pass
    if made:
        raise ValueError(f"LEAK {made} processes")
    return 0
