"""As many small values as a list holds."""

ONCE = True


def attack(name, arguments):
    return [[]] * 3_000_000
