""">= instead of >."""


def sample(p, coin):
    return int(np.argmax(np.cumsum(p) >= coin))
