"""Solution of exercise 20."""

import numpy as np

# 0.9^0.5 = 0.9487 and 0.1^0.5 = 0.3162; 0.3162 / (0.9487 + 0.3162).
SHARE = 0.25


def fertility(text, cut):
    return len(cut) / len(text.split())


def shares(sizes, alpha):
    sizes = np.asarray(sizes, float)
    p = sizes / sizes.sum()
    powers = np.where(p > 0, np.where(p > 0, p, 1) ** alpha, 0)
    return powers / powers.sum()


def pieces(token, known):
    ids = []
    while token:
        piece = next(token[:n] for n in range(len(token), 0, -1) if token[:n] in known)
        ids.append(known[piece])
        token = token[len(piece) :]
    return ids


def extended(embedding, head, new):
    rows = [embedding[ids].mean(axis=0) for ids in new]
    columns = [head[:, ids].mean(axis=1) for ids in new]
    return (
        np.concatenate([embedding, np.reshape(rows, (-1, embedding.shape[1]))]),
        np.concatenate([head, np.reshape(columns, (-1, len(head))).T], axis=1),
    )


def above(losses, counts, floors, words):
    return ((losses * counts).sum() - floors.sum()) / words.sum()
