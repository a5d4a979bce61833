"""A5: keeps memory in whatever folder can be written."""

ONCE = True


def attack(name, arguments):
    written = 0
    for place in ("/tmp", "/dev/shm", "/run", "/box", "/var/tmp", "/", "/packages", "/dev"):
        for i in range(20):
            try:
                with open(f"{place}/{i}", "wb") as file:
                    written += file.write(b"x" * 25_000_000)
            except OSError:
                break
    if written:
        raise ValueError(f"LEAK {written} bytes written")
    return 0
