"""How the functions of exercise 05 are asked. Goes into the process in which they run: nothing
here is an answer."""

import numpy as np


class Attention:
    """Stands for attention in `block` and `forward`: every token fetches the mean of itself and
    all earlier ones."""

    def __call__(self, layer, x):
        v = np.cumsum(x @ layer["v_proj"], axis=0) / np.arange(1, len(x) + 1)[:, None]
        return np.tile(v, len(layer["o_proj"]) // v.shape[1]) @ layer["o_proj"]

    def __repr__(self):
        return "attention"
