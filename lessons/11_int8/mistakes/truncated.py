"""A cast cuts off."""


def quantize(w):
    scale = np.max(np.abs(w)) / 127
    return (w / scale).astype(np.int8), scale
