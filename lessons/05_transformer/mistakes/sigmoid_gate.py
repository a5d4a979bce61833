"""The gate of an LSTM."""


def mlp(layer, x):
    gate = 1 / (1 + np.exp(-(x @ layer["gate_proj"])))
    return (gate * (x @ layer["up_proj"])) @ layer["down_proj"]
