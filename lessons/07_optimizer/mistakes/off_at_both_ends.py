"""step / warmup, and one step more at the end."""


def schedule(step, steps, warmup, final):
    if step < warmup:
        return step / warmup
    progress = (step - warmup) / (steps - warmup)
    return final + (1 - final) * 0.5 * (1 + np.cos(np.pi * progress))
