"""Takes whichever of the most frequent pairs was seen first: what max() over a dict gives."""


def train(words, n):
    words, merges = {tuple(word): times for word, times in words.items()}, []
    for new in range(256, 256 + n):
        counts = pair_counts(words)
        if not counts:
            break
        best = max(counts, key=counts.get)
        if counts[best] < 2:
            break
        words = {tuple(merge(word, best, new)): times for word, times in words.items()}
        merges.append(best)
    return merges
