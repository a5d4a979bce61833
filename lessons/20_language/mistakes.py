"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- not_tempered-paper ----
SHARE = 0.1


# ---- all_alike-paper ----
SHARE = 0.5


# ---- not_divided-paper ----
SHARE = 0.1**0.5


# ---- inverse-paper ----
SHARE = 0.01 / 0.82


# ---- per_byte ----


def fertility(text, cut):
    return len(cut) / len(text.encode())


# ---- per_letter ----


def fertility(text, cut):
    return len(cut) / len(text)


# ---- upside_down ----


def fertility(text, cut):
    return len(text.split()) / len(cut)


# ---- spaces_split ----


def fertility(text, cut):
    return len(cut) / len(text.split(" "))


# ---- not_tempered ----


def shares(sizes, alpha):
    return sizes / sizes.sum()


# ---- all_alike ----


def shares(sizes, alpha):
    return np.where(sizes > 0, 1 / np.count_nonzero(sizes), 0.0)


# ---- not_divided ----


def shares(sizes, alpha):
    p = sizes / sizes.sum()
    return np.where(p > 0, np.where(p > 0, p, 1) ** alpha, 0)


# ---- inverse ----
# Temperature divides, as in sampling; the paper's alpha multiplies.


def shares(sizes, alpha):
    with np.errstate(all="ignore"):
        p = sizes / sizes.sum()
        powers = np.where(p > 0, np.where(p > 0, p, 1) ** (1 / alpha if alpha else np.inf), 0)
        return powers / powers.sum()


# ---- softmax ----


def shares(sizes, alpha):
    powers = np.exp(alpha * sizes / sizes.sum())
    return powers / powers.sum()


# ---- empty_drawn ----


def shares(sizes, alpha):
    powers = (sizes / sizes.sum()) ** alpha
    return powers / powers.sum()


# ---- bytes_only ----


def pieces(token, known):
    return [known[bytes([byte])] for byte in token]


# ---- shortest ----
# The first pair that is known.


def pieces(token, known):
    ids = []
    while token:
        ends = [n for n in range(2, len(token) + 1) if token[:n] in known] or [1]
        ids.append(known[token[: ends[0]]])
        token = token[ends[0] :]
    return ids


# ---- backwards ----


def pieces(token, known):
    ids = []
    while token:
        piece = next(token[n:] for n in range(len(token)) if token[n:] in known)
        ids.insert(0, known[piece])
        token = token[: len(token) - len(piece)]
    return ids


# ---- as_bytes ----


def pieces(token, known):
    found = []
    while token:
        found.append(next(token[:n] for n in range(len(token), 0, -1) if token[:n] in known))
        token = token[len(found[-1]) :]
    return found


# ---- head_forgotten ----


def extended(embedding, head, new):
    rows = [embedding[ids].mean(axis=0) for ids in new]
    return np.concatenate([embedding, rows]), head


# ---- head_forgotten-zeros ----


def extended(embedding, head, new):
    rows = [embedding[ids].mean(axis=0) for ids in new]
    return (
        np.concatenate([embedding, rows]),
        np.concatenate([head, np.zeros((len(head), len(new)))], axis=1),
    )


# ---- zeros ----


def extended(embedding, head, new):
    D = len(head)
    return (
        np.concatenate([embedding, np.zeros((len(new), D))]),
        np.concatenate([head, np.zeros((D, len(new)))], axis=1),
    )


# ---- summed ----


def extended(embedding, head, new):
    rows = [embedding[ids].sum(axis=0) for ids in new]
    columns = [head[:, ids].sum(axis=1) for ids in new]
    return np.concatenate([embedding, rows]), np.concatenate([head, np.transpose(columns)], axis=1)


# ---- mean_of_all ----


def extended(embedding, head, new):
    rows = [embedding.mean(axis=0) for _ in new]
    columns = [head.mean(axis=1) for _ in new]
    return np.concatenate([embedding, rows]), np.concatenate([head, np.transpose(columns)], axis=1)


# ---- first_piece ----


def extended(embedding, head, new):
    first = [ids[0] for ids in new]
    return (
        np.concatenate([embedding, embedding[first]]),
        np.concatenate([head, head[:, first]], axis=1),
    )


# ---- front ----


def extended(embedding, head, new):
    rows = [embedding[ids].mean(axis=0) for ids in new]
    columns = [head[:, ids].mean(axis=1) for ids in new]
    return np.concatenate([rows, embedding]), np.concatenate([np.transpose(columns), head], axis=1)


# ---- per_token ----


def above(losses, counts, floors, words):
    return ((losses * counts).sum() - floors.sum()) / counts.sum()


# ---- mean_of_means ----


def above(losses, counts, floors, words):
    return np.mean((losses * counts - floors) / words)


# ---- not_above ----


def above(losses, counts, floors, words):
    return (losses * counts).sum() / words.sum()


# ---- losses_as_sums ----


def above(losses, counts, floors, words):
    return (losses.sum() - floors.sum()) / words.sum()


# ---- floor_of_tokens ----


def above(losses, counts, floors, words):
    return ((losses - floors) * counts).sum() / words.sum()
