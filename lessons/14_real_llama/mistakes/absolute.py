"""No scale."""


def first_difference(ours, theirs, tolerance):
    for name in theirs:
        if not np.max(np.abs(ours[name] - theirs[name])) <= tolerance:
            return name
    return None
