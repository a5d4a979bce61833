"""Weights by size, activations not, and so is the test for inputs that are never on."""


def smoothing(x, w, alpha):
    x_largest = x.max(axis=0)
    with np.errstate(all="ignore"):
        return np.where(x_largest > 0, x_largest**alpha / np.abs(w).max(axis=0) ** (1 - alpha), 1.0)
