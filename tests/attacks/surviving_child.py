"""Leaves a process behind that writes answers when this one has ended."""

import os
import time


def attack(name, arguments):
    try:
        if os.fork() == 0:
            os.setsid()
            while True:
                time.sleep(0.05)
                for fd in range(1, 20):
                    try:
                        os.write(fd, b"x")
                    except OSError:
                        pass
        raise ValueError("LEAK a process was made")
    except OSError:
        return 0
