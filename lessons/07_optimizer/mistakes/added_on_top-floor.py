"""The cosine down to 0, cut off at final: a run that stops falling too early."""


def schedule(step, steps, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / (steps - 1 - warmup)
    return max(final, 0.5 * (1 + np.cos(np.pi * progress)))
