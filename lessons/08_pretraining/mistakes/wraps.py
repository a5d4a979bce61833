"""The epoch of the batch's first row serves the whole batch."""


def visits(step, seed, batch_size, count):
    epoch = step * batch_size // count
    order = np.random.default_rng([seed, epoch]).permutation(count)
    return [int(order[(step * batch_size + i) % count]) for i in range(batch_size)]
