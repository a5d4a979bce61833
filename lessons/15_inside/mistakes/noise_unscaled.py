"""The noise as it came."""


def ablation(nats, stream, written, noise):
    return nats(stream - written) - nats(stream), nats(stream - noise) - nats(stream)
