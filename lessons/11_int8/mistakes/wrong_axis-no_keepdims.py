"""The right maximum, and an axis too few: broadcasting lays the scales along the columns."""


def quantize_rows(w):
    scales = np.max(np.abs(w), axis=1) / 127
    with np.errstate(all="ignore"):
        return np.round(w / scales).astype(np.int8), scales
