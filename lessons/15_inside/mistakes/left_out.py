"""Ablation in place of attribution."""


def attribution(parts, weight, head, token, eps):
    stream = parts.sum(axis=0)
    return np.array([(lens(stream, weight, head, eps) - lens(stream - part, weight, head, eps))[token] for part in parts])
