"""Joins the words to one text before counting."""


def pair_counts(words):
    text = [token for word, times in words.items() for token in list(word) * times]
    counts = {}
    for left, right in zip(text, text[1:]):
        counts[left, right] = counts.get((left, right), 0) + 1
    return counts
