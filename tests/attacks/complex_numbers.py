"""Right answers with any imaginary part beside them."""

import numpy as np


def perplexity(nats):
    return np.exp(nats) + 1e6j


def attack(name, arguments):
    return 1 + 1j
