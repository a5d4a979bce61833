"""The most probable first, and no way back."""


def sample(p, coin):
    return int(np.argmax(np.cumsum(np.sort(p)[::-1]) > coin))
