"""Skips the second of two overlapping pairs when counting."""


def pair_counts(words):
    counts = Counter()
    for word, times in words.items():
        for pair in set(pairwise(word)):
            i = 0
            while i < len(word) - 1:
                if (word[i], word[i + 1]) == pair:
                    counts[pair] += times
                    i += 1
                i += 1
    return counts
