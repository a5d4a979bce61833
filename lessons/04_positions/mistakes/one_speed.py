"""The angle is the position."""


def rotate(x, positions, theta):
    angle = positions[:, None]
    first, second = np.split(x, 2, axis=1)
    return np.concatenate([first * np.cos(angle) - second * np.sin(angle), first * np.sin(angle) + second * np.cos(angle)], axis=1)
