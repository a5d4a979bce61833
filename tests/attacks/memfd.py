"""A5: keeps memory in files that lie nowhere, where no process holds it."""

import os

ONCE = True


def attack(name, arguments):
    held = []
    while len(held) < 40:
        file = os.memfd_create("x")
        os.write(file, b"x" * 25_000_000)
        held.append(file)
    raise ValueError(f"LEAK {25 * len(held)} MB beyond the limit")
