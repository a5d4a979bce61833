"""2^7 = 128 steps on each side; clipped to what an int8 holds."""


def quantize(w):
    scale = np.abs(w).max() / 128
    return np.clip(np.round(w / scale), -128, 127).astype(np.int8), scale
