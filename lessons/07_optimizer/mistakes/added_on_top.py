"""final plus the whole cosine."""


def schedule(step, steps, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / (steps - 1 - warmup)
    return final + 0.5 * (1 + np.cos(np.pi * progress))
