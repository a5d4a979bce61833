"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- linear_parts ----
# Attribution by the linearity of what follows the norm; the lens row by row; patches by a mask;
# the control by unit vectors.
FROM_ANN = 2.4 / 4
FROM_HEAD = 30 / 10


def record(run):
    seen = {}

    def tap(name, x):
        seen[name] = x
        return np.array(x)            # the run goes on with a copy: what was kept is not touched again

    run(tap)
    return {name: np.array(x) for name, x in seen.items()}


def lens(x, weight, head, eps):
    return np.array([(row * (np.square(row).mean() + eps) ** -0.5) @ (weight[:, None] * head) for row in x])


def attribution(parts, weight, head, token, eps):
    stream = np.sum(parts, axis=0)
    direction = weight * head[:, token] * (stream @ stream / len(stream) + eps) ** -0.5
    return np.array([np.dot(part, direction) for part in parts])


def ablation(nats, stream, written, noise):
    unit = noise / np.sqrt(np.sum(noise**2, axis=1, keepdims=True))
    taken = unit * np.sqrt(np.sum(written**2, axis=1, keepdims=True))
    whole = nats(stream)
    return tuple(nats(stream - what) - whole for what in (written, taken))


def patching(score, clean, corrupt):
    masks = np.eye(len(clean), dtype=bool)[:, :, None]
    scores = np.array([score(np.where(mask, clean, corrupt)) for mask in masks])
    return (scores - score(corrupt)) / (score(clean) - score(corrupt))


# ---- loops ----
# Number by number, as on paper.
FROM_ANN = 0.6
FROM_HEAD = 3.0


def lens(x, weight, head, eps):
    logits = np.zeros((len(x), head.shape[1]))
    for n, row in enumerate(x):
        size = (sum(number * number for number in row) / len(row) + eps) ** 0.5
        for v in range(head.shape[1]):
            logits[n, v] = sum(number / size * weight[d] * head[d, v] for d, number in enumerate(row))
    return logits


def attribution(parts, weight, head, token, eps):
    stream = [sum(part[d] for part in parts) for d in range(len(weight))]
    size = (sum(number * number for number in stream) / len(stream) + eps) ** 0.5
    return [sum(part[d] * weight[d] * head[d, token] for d in range(len(weight))) / size for part in parts]


def ablation(nats, stream, written, noise):
    taken = np.zeros_like(noise)
    for t in range(len(noise)):
        taken[t] = noise[t] / np.linalg.norm(noise[t]) * np.linalg.norm(written[t])
    return nats(stream - written) - nats(stream), nats(stream - taken) - nats(stream)


def patching(score, clean, corrupt):
    gap = score(clean) - score(corrupt)
    return [(score(np.concatenate([corrupt[:t], clean[t : t + 1], corrupt[t + 1 :]])) - score(corrupt)) / gap for t in range(len(clean))]
