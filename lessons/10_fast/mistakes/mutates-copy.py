"""A copy of the dict is no copy of what is in it."""


def momentum_step(state, gradient, rate, beta):
    state = dict(state)
    state["velocity"] = beta * state["velocity"] + gradient
    state["w"] -= rate * state["velocity"]
    state["steps"] += 1
    return state
