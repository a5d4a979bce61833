"""Copies, and returns nothing."""


def record(run):
    seen = {}

    def tap(name, x):
        seen[name] = x.copy()

    run(tap)
    return seen
