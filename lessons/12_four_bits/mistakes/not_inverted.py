"""H itself."""


def factor(H, damping):
    return np.linalg.cholesky(H + damping * np.trace(H) / len(H) * np.eye(len(H))).T
