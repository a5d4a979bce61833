"""Takes the largest of the most frequent pairs: what sorting (count, pair) and taking the last gives."""


def train(words, n):
    words, merges = {tuple(word): times for word, times in words.items()}, []
    for new in range(256, 256 + n):
        ranked = sorted((count, pair) for pair, count in pair_counts(words).items())
        if not ranked or ranked[-1][0] < 2:
            break
        words = {tuple(merge(word, ranked[-1][1], new)): times for word, times in words.items()}
        merges.append(ranked[-1][1])
    return merges
