"""Writes answer records of its own into every open file, for all tasks at once and again, as if everything had passed."""

import os
import struct
import sys

plain = sys.modules.get("plain")


def attack(name, arguments):
    fake = b"".join(
        plain.record(value)
        for value in (
            "ready",
            ["task", "perplexity"],
            ["answers", [True] * 21],
            ["answers", []],
            ["passed", 99],
        )
    )
    for fd in range(20):
        try:
            os.write(fd, fake * 50)
            os.write(fd, struct.pack("<Q", 2**62) + b"X")
        except OSError:
            pass
    return True
