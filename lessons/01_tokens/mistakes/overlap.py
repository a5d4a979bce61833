"""Replaces every place where the pair stands, also where two such places share a token."""


def merge(word, pair, new):
    merged, covered = [], False
    for i in range(len(word)):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            merged.append(new)
            covered = True
        elif covered:
            covered = False
        else:
            merged.append(word[i])
    return merged
