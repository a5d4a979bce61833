"""How many tokens end before the coin, less one."""


def sample(p, coin):
    return int(np.searchsorted(np.cumsum(p), coin, side="right")) - 1
