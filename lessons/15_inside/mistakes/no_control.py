"""The control is the run itself."""


def ablation(nats, stream, written, noise):
    return nats(stream - written) - nats(stream), nats(stream) - nats(stream)
