"""A new run with the old parameters: its steps count from 0."""


def load(text):
    state = json.loads(text)
    rng = np.random.default_rng()
    rng.bit_generator.state = state["rng"]
    return {"seed": state["seed"], "step": 0, "w": np.array(state["w"]), "mean": np.array(state["mean"]), "rng": rng}
