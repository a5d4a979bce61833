"""Multiplies by the length of a token."""


def bits_per_byte(nats, tokens, n_bytes):
    bytes_per_token = n_bytes / tokens
    return nats / np.log(2) * bytes_per_token
