"""silu at the end."""


def mlp(layer, x):
    both = (x @ layer["gate_proj"]) * (x @ layer["up_proj"])
    return (both / (1 + np.exp(-both))) @ layer["down_proj"]
