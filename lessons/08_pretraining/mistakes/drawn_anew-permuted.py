"""A shuffle for every step."""


def visits(step, seed, batch_size, count):
    return np.random.default_rng([seed, step]).permutation(count)[:batch_size]
