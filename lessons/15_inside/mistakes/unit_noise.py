"""A direction, and nothing more."""


def ablation(nats, stream, written, noise):
    random = noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return nats(stream - written) - nats(stream), nats(stream - random) - nats(stream)
