"""0 / 0 where a row is zero."""


def quantize_rows(w):
    scales = np.max(np.abs(w), axis=1, keepdims=True) / 127
    with np.errstate(all="ignore"):
        return np.round(w / scales).astype(np.int8), scales
