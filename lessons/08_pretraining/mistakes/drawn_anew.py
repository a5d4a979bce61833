"""Random rows at every step."""


def visits(step, seed, batch_size, count):
    return np.random.default_rng([seed, step]).integers(count, size=batch_size)
