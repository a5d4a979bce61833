"""Right in everything but the shape of the scales."""


def quantize_rows(w):
    scales = np.abs(w).max(axis=1) / 127
    scales[scales == 0] = 1.0
    return np.round(w / scales[:, None]).astype(np.int8), scales
