"""Shows first, then looks."""


def until(pieces, stop):
    text = ""
    for piece in pieces:
        text += piece
        yield piece
        if any(word in text for word in stop):
            return
