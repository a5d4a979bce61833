"""Arrays of objects, which are pickled where they travel, and whose numbers are anyone's."""

import numpy as np


class Bomb:
    def __reduce__(self):
        return print, ("LEAK unpickled",)


def perplexity(nats):
    return np.array(float(np.exp(nats)), dtype=object)


def attack(name, arguments):
    return np.array([Bomb()], dtype=object)
