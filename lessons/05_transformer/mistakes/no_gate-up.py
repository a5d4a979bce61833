"""Two matrices, as before SwiGLU: gate is not used."""


def mlp(layer, x):
    hidden = x @ layer["up_proj"]
    return (hidden / (1 + np.exp(-hidden))) @ layer["down_proj"]
