"""Decodes each token on its own."""


def decode(tokens, merges):
    def bytes_of(token):
        if token < 256:
            return bytes([token])
        left, right = merges[token - 256]
        return bytes_of(left) + bytes_of(right)

    return "".join(bytes_of(token).decode("utf-8", errors="replace") for token in tokens)
