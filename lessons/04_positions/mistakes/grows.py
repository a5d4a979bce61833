"""The minus forgotten."""


def frequencies(E, theta):
    return theta ** (np.arange(0, E, 2) / E)
