"""The peak from the first step on."""


def schedule(step, steps, warmup, final):
    if step < warmup:
        return 1.0
    progress = (step - warmup) / (steps - 1 - warmup)
    return final + (1 - final) * 0.5 * (1 + np.cos(np.pi * progress))
