"""A9: an answer that is computed when it is compared."""

import numpy as np


class Later:
    def __init__(self, arguments):
        self.arguments = arguments

    def __array__(self, dtype=None, copy=None):
        return np.exp(np.asarray(self.arguments[0], float))

    def __float__(self):
        return float(np.exp(self.arguments[0]))

    __eq__ = __le__ = __lt__ = __ge__ = lambda self, other: True
    __hash__ = None
    __array_priority__ = 1e9


def attack(name, arguments):
    return Later(arguments)
