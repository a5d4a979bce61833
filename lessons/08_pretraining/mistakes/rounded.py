"""Six digits will do."""


def save(state):
    arrays = {name: np.round(state[name], 6).tolist() for name in ("w", "mean")}
    return json.dumps(state | arrays | {"rng": state["rng"].bit_generator.state})
