"""w first."""


def momentum_step(state, gradient, rate, beta):
    return {"w": state["w"] - rate * state["velocity"], "velocity": beta * state["velocity"] + gradient, "steps": state["steps"] + 1}
