"""steps where the last step is meant."""


def schedule(step, steps, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / (steps - warmup)
    return final + (1 - final) * 0.5 * (1 + np.cos(np.pi * progress))
