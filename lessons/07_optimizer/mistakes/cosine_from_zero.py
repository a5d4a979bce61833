"""The cosine over the whole run."""


def schedule(step, steps, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - 0) / (steps - 1 - 0)
    return final + (1 - final) * 0.5 * (1 + np.cos(np.pi * progress))
