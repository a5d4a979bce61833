"""A5: anonymous memory that is shared is in nobody's account once the process that touched it has ended."""

import mmap

ONCE = True


def attack(name, arguments):
    held = [mmap.mmap(-1, 10_000_000) for _ in range(60)]
    for memory in held:
        memory[::4096] = b"x" * len(memory[::4096])
    raise ValueError(f"LEAK {10 * len(held)} MB of shared memory")
