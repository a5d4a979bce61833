"""A5: fills pipes and sockets, whose buffers are the kernel's."""

import fcntl
import os
import socket

ONCE = True


def attack(name, arguments):
    written = 0
    try:
        pairs = [socket.socketpair()]
        raise ValueError(f"LEAK {pairs}")
    except OSError:
        pass
    while True:
        try:
            read, write = os.pipe()
            fcntl.fcntl(write, 1031, 2**20)
            os.set_blocking(write, False)
            written += os.write(write, b"x" * 2**20)
        except OSError:
            break
    if written > 64 * 2**20:
        raise ValueError(f"LEAK {written} bytes in pipes")
    return 0
