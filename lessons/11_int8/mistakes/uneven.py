"""256 integers have 255 steps between them."""


def quantize(w):
    scale = 2 * np.max(np.abs(w)) / 255
    return np.clip(np.rint(w / scale), -128, 127).astype(np.int8), scale
