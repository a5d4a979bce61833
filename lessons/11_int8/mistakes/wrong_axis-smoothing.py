"""The largest of each token and of each output."""


def smoothing(x, w, alpha):
    return np.max(np.abs(x), axis=1) ** alpha / np.max(np.abs(w), axis=1) ** (1 - alpha)
