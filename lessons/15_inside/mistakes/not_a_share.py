"""The change of the score."""


def patching(score, clean, corrupt):
    T = len(clean)
    return np.array([score(np.where(np.arange(T)[:, None] == t, clean, corrupt)) for t in range(T)]) - score(corrupt)
