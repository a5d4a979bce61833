"""Parameters, step and generator, but not the optimizer."""


def load(text):
    state = json.loads(text)
    rng = np.random.default_rng()
    rng.bit_generator.state = state["rng"]
    return {"seed": state["seed"], "step": state["step"], "w": np.array(state["w"]), "mean": np.zeros(len(state["w"])), "rng": rng}
