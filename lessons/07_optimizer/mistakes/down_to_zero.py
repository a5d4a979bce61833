"""final is not looked at."""


def schedule(step, steps, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / (steps - 1 - warmup)
    return 0.5 * (1 + np.cos(np.pi * progress))
