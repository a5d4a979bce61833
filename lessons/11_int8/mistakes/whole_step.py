"""A step, as a share of the rms: the root of 12 is forgotten."""


def predicted_error(w):
    return np.max(np.abs(w)) / 127 / np.sqrt(np.mean(w**2))
