"""How far it still is to the clean run."""


def patching(score, clean, corrupt):
    T, low, high = len(clean), score(corrupt), score(clean)
    return np.array([(high - score(np.where(np.arange(T)[:, None] == t, clean, corrupt))) / (high - low) for t in range(T)])
