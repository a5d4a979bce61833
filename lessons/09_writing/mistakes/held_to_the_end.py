"""Joins everything first."""


def until(pieces, stop):
    text = "".join(pieces)
    for word in stop:
        text = text.split(word)[0]
    yield text
