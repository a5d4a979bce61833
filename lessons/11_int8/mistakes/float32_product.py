"""Fast, and exact for about 1000 inputs."""


def integer_product(x, w):
    return x.astype(np.float32) @ w.astype(np.float32).T
