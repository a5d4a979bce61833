"""No abs around the difference."""


def first_difference(ours, theirs, tolerance):
    for name, right in theirs.items():
        if not np.max(ours[name] - right) <= tolerance * np.max(np.abs(right)):
            return name
    return None
