"""Holds more and more memory."""

ONCE = True


def attack(name, arguments):
    held = []
    while True:
        held.append(bytearray(b"x") * 10_000_000)
