"""New arrays in the old dict."""


def momentum_step(state, gradient, rate, beta):
    state["velocity"] = beta * state["velocity"] + gradient
    state["w"] = state["w"] - rate * state["velocity"]
    state["steps"] = state["steps"] + 1
    return state
