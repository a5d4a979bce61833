"""The generator made anew from the seed."""


def save(state):
    return json.dumps({"seed": state["seed"], "step": state["step"], "w": state["w"].tolist(), "mean": state["mean"].tolist()})


def load(text):
    state = json.loads(text)
    return {"seed": state["seed"], "step": state["step"], "w": np.array(state["w"]), "mean": np.array(state["mean"]),
            "rng": np.random.default_rng(state["seed"])}
