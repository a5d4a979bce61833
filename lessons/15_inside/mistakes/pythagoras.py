"""Adds the mean squares of the parts."""


def attribution(parts, weight, head, token, eps):
    return parts * weight @ head[:, token] / np.sqrt(np.sum(np.mean(parts * parts, axis=1)) + eps)
