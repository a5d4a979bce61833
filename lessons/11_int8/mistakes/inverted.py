"""What the weights are divided by."""


def smoothing(x, w, alpha):
    x_largest, w_largest = np.abs(x).max(axis=0), np.abs(w).max(axis=0)
    return np.where(x_largest > 0, w_largest ** (1 - alpha) / np.where(x_largest > 0, x_largest, 1) ** alpha, 1.0)
