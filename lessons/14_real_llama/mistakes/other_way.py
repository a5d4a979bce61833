"""The inverse."""


def halves(w, heads):
    D, width = w.shape
    return w.reshape(D, heads, 2, width // heads // 2).transpose(0, 1, 3, 2).reshape(D, width)
