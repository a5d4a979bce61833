"""A scale for each input."""


def quantize_groups(w):
    scales = np.abs(w).max(axis=0, keepdims=True) / 7
    return np.round(w / scales).astype(np.int8), scales
