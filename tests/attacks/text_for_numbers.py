"""Right answers as text: numbers are compared as numbers."""

import numpy as np


def perplexity(nats):
    return str(float(np.exp(nats)))


def bits_per_byte(nats, tokens, bytes):
    return np.array(nats * tokens / bytes / np.log(2)).astype(str)


def attack(name, arguments):
    return "0.5"
