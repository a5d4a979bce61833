"""The array, not a copy."""


def record(run):
    seen = {}
    run(lambda name, x: seen.setdefault(name, x))
    return seen
