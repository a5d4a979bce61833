"""Strips the word before encoding it."""


def encode(word, merges):
    tokens = list(word.strip())
    for new, pair in enumerate(merges, start=256):
        tokens = merge(tokens, pair, new)
    return tokens
