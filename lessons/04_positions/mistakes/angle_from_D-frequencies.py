"""Heads split as they should be, but frequencies made from the width of the model."""


def rotate_heads(x, H, positions, theta):
    T, D = x.shape
    angle = (positions[:, None] * frequencies(D, theta)[: D // H // 2])[:, None]
    first, second = np.split(x.reshape(T, H, D // H), 2, axis=-1)
    turned = [first * np.cos(angle) - second * np.sin(angle), first * np.sin(angle) + second * np.cos(angle)]
    return np.concatenate(turned, axis=-1).reshape(T, D)
