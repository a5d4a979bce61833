"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- loops ----
# Token by token, as one would on paper.
PASS = 7 / 10


def policy_gradient(logits, rewards):
    powers = [np.exp(x - max(logits)) for x in logits]
    p = [power / sum(powers) for power in powers]
    mean = sum(a * b for a, b in zip(p, rewards))
    return np.array([a * (b - mean) for a, b in zip(p, rewards)])


def advantages(rewards):
    return np.array([[r - sum(group) / len(group) for r in group] for group in rewards])


def objective(log_p, old, advantage, answer, clip):
    gains = []
    for b, t in zip(*np.nonzero(answer)):
        ratio, a = np.exp(log_p[b, t] - old[b, t]), advantage[b]
        gains.append(min(ratio * a, min(max(ratio, 1 - clip), 1 + clip) * a))
    return sum(gains) / len(gains)


def gradient(log_p, old, advantage, answer, clip):
    result = np.zeros(log_p.shape)
    for b, t in zip(*np.nonzero(answer)):
        ratio, a = np.exp(log_p[b, t] - old[b, t]), advantage[b]
        held = ratio > 1 + clip if a > 0 else ratio < 1 - clip
        result[b, t] = 0 if held else ratio * a / answer.sum()
    return result


def kl(log_p, reference, answer):
    every = zip(log_p.ravel(), reference.ravel(), answer.ravel())
    parts = [np.exp(r - p) - 1 + p - r for p, r, some in every if some]
    return sum(parts) / len(parts)


def pass_at(k, right, times):
    missed = 1.0
    for i in range(k):
        missed *= max(0, times - right - i) / (times - i)
    return 1 - missed


# ---- other_order ----
# The Jacobian of softmax; masks as weights; Chen's product.


def policy_gradient(logits, rewards):
    p = np.exp(logits - np.logaddexp.reduce(logits))
    return (np.diag(p) - np.outer(p, p)) @ rewards


def advantages(rewards):
    G = rewards.shape[1]
    return rewards @ (np.eye(G) - np.full((G, G), 1 / G))


def objective(log_p, old, advantage, answer, clip):
    ratio = np.exp(log_p - old)
    most = np.where(advantage > 0, 1 + clip, np.inf)[:, None]
    least = np.where(advantage < 0, 1 - clip, 0)[:, None]
    return np.average(np.clip(ratio, least, most) * advantage[:, None], weights=answer)


def kl(log_p, reference, answer):
    g = reference - log_p
    return np.average(np.expm1(g) - g, weights=answer)


def pass_at(k, right, times):
    if times - right < k:
        return 1.0
    return 1.0 - np.prod(1.0 - k / np.arange(times - right + 1, times + 1))
