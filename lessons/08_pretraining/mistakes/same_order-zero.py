"""Always the first epoch's order."""


def visits(step, seed, batch_size, count):
    order = np.random.default_rng([seed, 0]).permutation(count)
    return order[np.arange(step * batch_size, (step + 1) * batch_size) % count]
