"""Takes the longest piece of the vocabulary that fits, from the left."""


def encode(word, merges):
    pieces = {bytes([byte]): byte for byte in range(256)}
    names = [bytes([byte]) for byte in range(256)]
    for token, (left, right) in enumerate(merges, start=256):
        names.append(names[left] + names[right])
        pieces.setdefault(names[token], token)
    tokens = []
    while word:
        length = max(n for n in range(1, len(word) + 1) if word[:n] in pieces)
        tokens.append(pieces[word[:length]])
        word = word[length:]
    return tokens
