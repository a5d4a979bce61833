"""The signs of the two sines exchanged."""


def rotate(x, positions, theta):
    angle = positions[:, None] * frequencies(x.shape[1], theta)
    first, second = np.split(x, 2, axis=1)
    return np.concatenate([first * np.cos(angle) + second * np.sin(angle), second * np.cos(angle) - first * np.sin(angle)], axis=1)
