"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- in_order_of_learning ----
# Encodes by applying the merges one after another to the whole word, which comes to the same;
# decodes by taking tokens apart.


def encode(word, merges):
    tokens = tuple(word)
    for new, pair in enumerate(merges, start=256):
        tokens = merge(tokens, pair, new)
    return list(tokens)


def decode(tokens, merges):
    stack, data = list(reversed(tokens)), bytearray()
    while stack:
        token = stack.pop()
        if token < 256:
            data.append(token)
        else:
            stack.extend(reversed(merges[token - 256]))
    return data.decode("utf-8", errors="replace")


# ---- numpy_counts ----
# Counts with NumPy, merges by a generator, keeps the words of a training in a list.
import numpy as np


def pair_counts(words):
    pairs = np.array([pair for word in words for pair in zip(word, word[1:])]).reshape(-1, 2)
    times = np.array([times for word, times in words.items() for _ in word[1:]])
    if not len(pairs):
        return {}
    different, which = np.unique(pairs, axis=0, return_inverse=True)
    totals = np.bincount(which.ravel(), weights=times).astype(int)
    return {tuple(pair): total for pair, total in zip(different.tolist(), totals.tolist())}


def merge(word, pair, new):
    def tokens():
        rest = iter(range(len(word)))
        for i in rest:
            if word[i:i + 2] == type(word)(pair):
                next(rest)
                yield new
            else:
                yield word[i]

    return list(tokens())


def train(words, n):
    texts, times, merges = [list(word) for word in words], list(words.values()), []
    while len(merges) < n:
        counts = Counter()
        for text, count in zip(texts, times):
            for pair in zip(text, text[1:]):
                counts[pair] += count
        frequent = max(counts.values(), default=0)
        if frequent < 2:
            break
        pair = sorted(pair for pair in counts if counts[pair] == frequent)[0]
        texts = [merge(text, pair, 256 + len(merges)) for text in texts]
        merges.append(pair)
    return merges
