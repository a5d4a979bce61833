"""The root mean square of the error, beside nothing."""


def predicted_error(w):
    return np.max(np.abs(w)) / 127 / np.sqrt(12)
