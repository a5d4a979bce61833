"""A number added to a matrix is added to every entry."""


def factor(H, damping):
    return np.linalg.cholesky(np.linalg.inv(H + damping * np.mean(np.diag(H)))).T
