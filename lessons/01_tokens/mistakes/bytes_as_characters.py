"""Takes a byte for a character."""


def decode(tokens, merges):
    pieces = [chr(byte) for byte in range(256)]
    for left, right in merges:
        pieces.append(pieces[left] + pieces[right])
    return "".join(pieces[token] for token in tokens)
