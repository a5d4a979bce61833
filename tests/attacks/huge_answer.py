"""An array of a hundred gigabytes that needs no memory here."""

import numpy as np


def attack(name, arguments):
    return np.broadcast_to(np.float64(1), (10**6, 10**4))
