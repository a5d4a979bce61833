"""np.linalg.norm without an axis."""


def ablation(nats, stream, written, noise):
    random = noise / np.linalg.norm(noise) * np.linalg.norm(written)
    return nats(stream - written) - nats(stream), nats(stream - random) - nats(stream)
