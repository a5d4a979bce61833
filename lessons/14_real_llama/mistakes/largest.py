"""argmax over all activations."""


def first_difference(ours, theirs, tolerance):
    shares = [np.max(np.abs(ours[name] - right)) / np.max(np.abs(right)) for name, right in theirs.items()]
    if all(share <= tolerance for share in shares):
        return None
    nans = [name for name, share in zip(theirs, shares) if np.isnan(share)]
    return max(zip(shares, theirs), key=lambda pair: pair[0])[1] if not nans else max(dict(zip(theirs, shares)), key=dict(zip(theirs, shares)).get)
