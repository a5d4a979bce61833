"""0 ... 15."""


def quantize_with_zero(w):
    low = np.minimum(np.min(w, axis=1, keepdims=True), 0)
    high = np.maximum(np.max(w, axis=1, keepdims=True), 0)
    scales = (high - low) / 15
    zeros = np.round(-low / scales)
    return (np.round(w / scales) + zeros).astype(np.int8), scales, zeros
