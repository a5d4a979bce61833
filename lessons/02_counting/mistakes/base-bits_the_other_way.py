"""Multiplies by ln 2 where it should divide."""


def bits_per_byte(nats, tokens, n_bytes):
    return nats * np.log(2) * tokens / n_bytes
