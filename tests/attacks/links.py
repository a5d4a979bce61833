"""Puts links in place of the file of answers and of every file beside it."""

import os


def attack(name, arguments):
    for place in ("/box", "..", ".", "/tmp"):
        for file in ("answers", "job", "child.py", "plain.py", "the_exercise.py"):
            for make in (os.symlink, os.link):
                try:
                    make(TARGETS["files"][0], f"{place}/{file}2")
                    os.rename(f"{place}/{file}2", f"{place}/{file}")
                    raise ValueError("LEAK a link was made")
                except OSError:
                    pass
    return 0
