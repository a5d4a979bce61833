"""Number by number, as on paper."""

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
