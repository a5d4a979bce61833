"""Keeps it, and forgets that the run goes on with what comes back."""


def record(run):
    seen = {}

    def tap(name, x):
        seen[name] = np.array(x)

    run(tap)
    return seen
