"""A6a: the same, written as a record by hand, so that this process need not build it."""

import os
import struct

ONCE = True


def attack(name, arguments):
    numbers = b"".join(
        b"I" + struct.pack("<Q", len(text)) + text
        for text in (b"%x" % (k * (2**61 - 1)) for k in range(150_000))
    )
    answers = b"L" + struct.pack("<Q", 1) + b"S" + struct.pack("<Q", 150_000) + numbers
    body = b"L" + struct.pack("<Q", 2) + b"X" + struct.pack("<Q", 7) + b"answers" + answers
    for fd in range(1, 20):
        try:
            os.write(fd, struct.pack("<Q", len(body)) + body)
        except OSError:
            pass
    os._exit(0)
