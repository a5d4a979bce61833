"""Two matrices, as before SwiGLU: up is not used."""


def mlp(layer, x):
    hidden = x @ layer["gate_proj"]
    return (hidden / (1 + np.exp(-hidden))) @ layer["down_proj"]
