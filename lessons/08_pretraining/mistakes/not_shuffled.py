"""Row after row, as they stand."""


def visits(step, seed, batch_size, count):
    return [(step * batch_size + i) % count for i in range(batch_size)]
