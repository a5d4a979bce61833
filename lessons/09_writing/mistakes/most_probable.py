"""No coin."""


def sample(p, coin):
    return int(np.argmax(p))
