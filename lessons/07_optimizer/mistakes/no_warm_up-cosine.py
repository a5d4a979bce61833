"""The cosine from step 0, and nothing else."""


def schedule(step, steps, warmup, final):
    return final + (1 - final) * 0.5 * (1 + np.cos(np.pi * step / (steps - 1)))
