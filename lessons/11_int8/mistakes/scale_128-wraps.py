"""The same, and nobody clips: +128 becomes -128."""


def quantize(w):
    scale = np.abs(w).max() / 128.0
    with np.errstate(all="ignore"):
        return np.round(w / scale).astype(np.int8), scale
