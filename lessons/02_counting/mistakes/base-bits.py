"""Nats per byte, called bits."""


def bits_per_byte(nats, tokens, n_bytes):
    return nats * tokens / n_bytes
