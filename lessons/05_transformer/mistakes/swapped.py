"""silu over up."""


def mlp(layer, x):
    up = x @ layer["up_proj"]
    return (x @ layer["gate_proj"] * up / (1 + np.exp(-up))) @ layer["down_proj"]
