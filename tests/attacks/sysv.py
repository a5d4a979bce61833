"""A8: leaves a message for the next submission in System V shared memory, a semaphore and a queue."""

import ctypes


def attack(name, arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    done = [
        what
        for what, got in (
            ("shm", libc.shmget(77, 4096, 0o1666)),
            ("sem", libc.semget(77, 1, 0o1666)),
            ("msg", libc.msgget(77, 0o1666)),
        )
        if got >= 0
    ]
    if done:
        raise ValueError(f"LEAK {done}")
    return 0
