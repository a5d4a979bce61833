"""One shuffle for all epochs."""


def visits(step, seed, batch_size, count):
    order = np.random.default_rng(seed).permutation(count)
    return [int(order[visit % count]) for visit in range(step * batch_size, (step + 1) * batch_size)]
