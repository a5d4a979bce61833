"""Replaces the first occurrence alone."""


def merge(word, pair, new):
    word = list(word)
    for i in range(len(word) - 1):
        if (word[i], word[i + 1]) == pair:
            return word[:i] + [new] + word[i + 2:]
    return word
