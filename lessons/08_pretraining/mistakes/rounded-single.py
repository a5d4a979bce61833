"""As float32, to save space."""


def save(state):
    arrays = {name: state[name].astype(np.float32).tolist() for name in ("w", "mean")}
    return json.dumps(state | arrays | {"rng": state["rng"].bit_generator.state})
