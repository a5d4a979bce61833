"""A list that grows, and no room."""


def remember(kept, new, length):
    return np.vstack([kept[:length], new])
