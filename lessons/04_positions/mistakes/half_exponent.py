"""The pair's number over E."""


def frequencies(E, theta):
    return 1 / theta ** (np.arange(E // 2) / E)
