"""Drops what is not UTF-8."""


def decode(tokens, merges):
    pieces = {byte: bytes([byte]) for byte in range(256)}
    for new, (left, right) in enumerate(merges, start=256):
        pieces[new] = pieces[left] + pieces[right]
    return b"".join(pieces[token] for token in tokens).decode("utf-8", "ignore")
