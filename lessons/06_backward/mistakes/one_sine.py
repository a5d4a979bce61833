"""Both sines with a plus."""


def rope_backward(dy, x, cos, sin):
    first, second = np.split(dy, 2, axis=-1)
    return np.concatenate([first * cos + second * sin, second * cos + first * sin], axis=-1)
