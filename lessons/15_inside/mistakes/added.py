"""Once more instead of once less."""


def ablation(nats, stream, written, noise):
    random = noise * (np.linalg.norm(written, axis=1) / np.linalg.norm(noise, axis=1))[:, None]
    return nats(stream + written) - nats(stream), nats(stream + random) - nats(stream)
