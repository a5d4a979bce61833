"""alpha and 1 - alpha exchanged."""


def smoothing(x, w, alpha):
    x_largest, w_largest = np.abs(x).max(axis=0), np.abs(w).max(axis=0)
    return np.where(x_largest > 0, x_largest ** (1 - alpha) / w_largest**alpha, 1.0)
