"""In place, as in the class."""


def momentum_step(state, gradient, rate, beta):
    state["velocity"] *= beta
    state["velocity"] += gradient
    state["w"] -= rate * state["velocity"]
    state["steps"] += 1
    return state
