"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- sorted ----
# By sorting and by strings.
EXPOSURE = 10 - 2


def rank(log_p, secret):
    return len(log_p) - sorted(log_p).index(log_p[secret])


def exposure(log_p, secret):
    return float(-np.log2(np.mean(log_p >= log_p[secret])))


def overlap(train, test, n):
    known = {tuple(d[i : i + n]) for d in train for i in range(len(d)) if len(d[i : i + n]) == n}
    different = set(zip(*(test[k:] for k in range(n))))
    return sum(gram in known for gram in different) / len(different)


# ---- texts ----
# A dict of the first of each; numpy for the sums.


def deduplicated(documents):
    first = {}
    for text in documents:
        first.setdefault(hashlib.sha1("\0".join(text.upper().split()).encode()).digest(), text)
    return list(first.values())


def learned(tokens, keep, before):
    total = np.concatenate([[0], np.cumsum(tokens)])
    sums = total[before:-1] - total[: len(total) - 1 - before]
    return [True] * before + [bool(x % keep) for x in sums]
