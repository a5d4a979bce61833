"""Merges from left to right whatever has a merge."""


def encode(word, merges):
    tokens, i = list(word), 0
    while i < len(tokens) - 1:
        pair = tokens[i], tokens[i + 1]
        if pair in merges:
            tokens[i:i + 2] = [256 + merges.index(pair)]
            i = 0
        else:
            i += 1
    return tokens
