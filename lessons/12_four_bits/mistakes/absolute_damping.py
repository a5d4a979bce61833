"""0.01, whatever the size of H."""


def factor(H, damping):
    return np.linalg.cholesky(np.linalg.inv(H + damping * np.eye(len(H)))).T
