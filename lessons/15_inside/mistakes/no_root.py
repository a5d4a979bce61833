"""Divides by the mean square."""


def attribution(parts, weight, head, token, eps):
    return parts * weight @ head[:, token] / (np.mean(parts.sum(0) ** 2) + eps)
