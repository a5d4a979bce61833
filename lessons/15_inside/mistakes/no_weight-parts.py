"""The same in the attribution."""


def attribution(parts, weight, head, token, eps):
    return parts @ head[:, token] / np.sqrt((parts.sum(0) ** 2).mean() + eps)
