"""< instead of <=."""


def masked(scores):
    T = len(scores)
    return np.where(np.arange(T) < np.arange(T)[:, None], scores, -np.inf)
