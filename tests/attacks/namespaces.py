"""A4: makes a user namespace, and with it mounts, all in the hope of the kernel's less tried parts."""

import ctypes


def attack(name, arguments):
    libc, done = ctypes.CDLL(None, use_errno=True), []
    for flag in (0x10000000, 0x20000, 0x40000000, 0x02000000, 0x04000000, 0x08000000, 0x20000000):
        if libc.unshare(flag) == 0:
            done.append(hex(flag))
    if (
        libc.mount(b"none", b"/tmp", b"tmpfs", 0, b"size=100%") == 0
        or libc.syscall(430, b"tmpfs", 0) >= 0
    ):
        done.append("mount")
    if done:
        raise ValueError(f"LEAK namespaces {done}")
    return 0
