"""Counts once and takes the n most frequent pairs of that."""


def train(words, n):
    counts = pair_counts({tuple(word): times for word, times in words.items()})
    ranked = sorted(counts, key=lambda pair: (-counts[pair], pair))
    return [pair for pair in ranked if counts[pair] >= 2][:n]
