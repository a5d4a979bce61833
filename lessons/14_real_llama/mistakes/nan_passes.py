"""difference > tolerance."""


def first_difference(ours, theirs, tolerance):
    for name, right in theirs.items():
        if np.max(np.abs(ours[name] - right)) > tolerance * np.max(np.abs(right)):
            return name
    return None
