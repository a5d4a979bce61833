"""Bits per token."""


def bits_per_byte(nats, tokens, n_bytes):
    return nats / np.log(2)
