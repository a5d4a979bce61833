"""Whole batches only: the rest of an epoch is dropped."""


def visits(step, seed, batch_size, count):
    epoch, place = divmod(step, count // batch_size)
    return np.random.default_rng([seed, epoch]).permutation(count)[place * batch_size:(place + 1) * batch_size]
