"""Looks into each piece."""


def until(pieces, stop):
    for piece in pieces:
        found = [piece.index(word) for word in stop if word in piece]
        if found:
            yield piece[: min(found)]
            return
        yield piece
