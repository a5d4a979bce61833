"""A6a: a set of numbers with one hash takes a reader quadratic time to build."""

ONCE = True


def attack(name, arguments):
    return {k * (2**61 - 1) for k in range(1500)}
