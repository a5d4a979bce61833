"""Rounds down."""


def quantize(w):
    scale = np.max(np.abs(w)) / 127
    return np.floor(w / scale).astype(np.int8), scale
