"""Goes on as long as there is any pair."""


def train(words, n):
    words, merges = {tuple(word): times for word, times in words.items()}, []
    for new in range(256, 256 + n):
        counts = pair_counts(words)
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        words = {tuple(merge(word, best, new)): times for word, times in words.items()}
        merges.append(best)
    return merges
