"""Nothing is moved."""


def halves(w, heads):
    return w
