"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass.
"""


# ---- loops ----


def shares(sizes, alpha):
    powers = [size**alpha if size > 0 else 0.0 for size in sizes]
    return [power / sum(powers) for power in powers]


def pieces(token, known):
    ids, at = [], 0
    while at < len(token):
        end = len(token)
        while token[at:end] not in known:
            end -= 1
        ids.append(known[token[at:end]])
        at = end
    return ids


def extended(embedding, head, new):
    rows = [sum(embedding[i] for i in ids) / len(ids) for ids in new]
    columns = [sum(head[:, i] for i in ids) / len(ids) for ids in new]
    return np.vstack([embedding, *rows]), np.column_stack([head, *columns])


def above(losses, counts, floors, words):
    total = 0.0
    for loss, count, floor in zip(losses, counts, floors):
        total += loss * count - floor
    return total / sum(words)


# ---- matrices ----
# The mean of pieces as a product; shares by logarithms.


def shares(sizes, alpha):
    some = np.asarray(sizes) > 0
    logs = alpha * np.log(np.where(some, sizes, 1.0))
    powers = np.where(some, np.exp(logs - logs[some].max()), 0.0)
    return powers / powers.sum()


def extended(embedding, head, new):
    mix = np.zeros((len(new), len(embedding)))
    for n, ids in enumerate(new):
        for i in ids:
            mix[n, i] += 1 / len(ids)
    return np.vstack([embedding, mix @ embedding]), np.hstack([head, head @ mix.T])


def above(losses, counts, floors, words):
    return (losses @ counts - floors.sum()) / words.sum()
