"""sorted()."""


def first_difference(ours, theirs, tolerance):
    for name in sorted(theirs):
        if not np.max(np.abs(ours[name] - theirs[name])) <= tolerance * np.max(np.abs(theirs[name])):
            return name
    return None
