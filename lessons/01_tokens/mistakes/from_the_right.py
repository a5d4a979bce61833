"""Deletes from the end, so that indices stay right, and thereby merges from the right."""


def merge(word, pair, new):
    word, i = list(word), len(word) - 2
    while i >= 0:
        if tuple(word[i:i + 2]) == pair:
            word[i:i + 2] = [new]
            i -= 1
        i -= 1
    return word
