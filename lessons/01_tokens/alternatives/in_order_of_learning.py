"""Encodes by applying the merges one after another to the whole word, which comes to the same; decodes by taking tokens apart."""


def encode(word, merges):
    tokens = tuple(word)
    for new, pair in enumerate(merges, start=256):
        tokens = merge(tokens, pair, new)
    return list(tokens)


def decode(tokens, merges):
    stack, data = list(reversed(tokens)), bytearray()
    while stack:
        token = stack.pop()
        if token < 256:
            data.append(token)
        else:
            stack.extend(reversed(merges[token - 256]))
    return data.decode("utf-8", errors="replace")
