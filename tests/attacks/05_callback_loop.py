"""A6b: calls the given function for ever with large arguments: its seconds were counted as nobody's."""

import numpy as np


def block(layer, x, attention, eps):
    while True:
        attention(layer, np.ones((2000, x.shape[1])))
