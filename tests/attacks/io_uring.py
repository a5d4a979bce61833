"""A4: io_uring, userfaultfd, bpf, perf and ptrace, where kernels have had their holes."""

import ctypes


def attack(name, arguments):
    libc, room = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(512)
    calls = {
        "io_uring": (425, 8, room),
        "userfaultfd": (323, 1),
        "bpf": (321, 0, room, 72),
        "perf": (298, room, 0, -1, -1, 0),
        "ptrace": (101, 0, 0, 0, 0),
    }
    done = [what for what, call in calls.items() if libc.syscall(*call) >= 0]
    if done:
        raise ValueError(f"LEAK calls {done}")
    return 0
