"""No axis: one sum for all."""


def softmax(x):
    e = np.exp(x - np.max(x))
    return e / np.sum(e)
