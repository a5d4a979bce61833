"""H as it is."""


def factor(H, damping):
    return np.linalg.cholesky(np.linalg.inv(H)).T
