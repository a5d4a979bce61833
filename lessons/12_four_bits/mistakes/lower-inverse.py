"""The factor of H, inverted: its U^T U is right, its triangle is not."""


def factor(H, damping):
    H = H + damping * np.mean(np.diag(H)) * np.eye(len(H))
    return np.linalg.inv(np.linalg.cholesky(H))
