"""A new dict around the old arrays."""


def momentum_step(state, gradient, rate, beta):
    w, velocity = state["w"], state["velocity"]
    velocity *= beta
    velocity += gradient
    w -= rate * velocity
    return {"w": w, "velocity": velocity, "steps": state["steps"] + 1}
