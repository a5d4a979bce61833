"""np.allclose, which does it like that."""


def first_difference(ours, theirs, tolerance):
    for name, right in theirs.items():
        if not np.allclose(ours[name], right, rtol=tolerance):
            return name
    return None
