"""A line."""


def schedule(step, steps, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / (steps - 1 - warmup)
    return final + (1 - final) * (1 - progress)
