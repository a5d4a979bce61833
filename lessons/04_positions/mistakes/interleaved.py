"""The pairs of Meta's code: 2i and 2i + 1."""


def rotate(x, positions, theta):
    angle = positions[:, None] * frequencies(x.shape[1], theta)
    even, odd = x[:, 0::2], x[:, 1::2]
    made = np.empty_like(x)
    made[:, 0::2] = even * np.cos(angle) - odd * np.sin(angle)
    made[:, 1::2] = even * np.sin(angle) + odd * np.cos(angle)
    return made
