"""Every number has a limit of its own."""


def first_difference(ours, theirs, tolerance):
    for name, right in theirs.items():
        if not np.all(np.abs(ours[name] - right) <= tolerance * np.abs(right)):
            return name
    return None
