"""Goes through the merges in order and replaces the first place of each."""


def encode(word, merges):
    tokens = list(word)
    for new, pair in enumerate(merges, start=256):
        for i in range(len(tokens) - 1):
            if (tokens[i], tokens[i + 1]) == pair:
                tokens[i:i + 2] = [new]
                break
    return tokens
