"""The scale of the paper on LLM.int8(): what a number is multiplied with to become an integer."""


def quantize(w):
    scale = 127 / np.max(np.abs(w))
    return np.round(w * scale).astype(np.int8), scale
