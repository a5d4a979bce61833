"""At least it stops reading."""


def until(pieces, stop):
    text = ""
    for piece in pieces:
        text += piece
        if any(word in text for word in stop):
            break
    for word in stop:
        text = text.partition(word)[0]
    yield text
