"""The first one in the list."""


def until(pieces, stop):
    text, shown, longest = "", 0, max(len(word) for word in stop)
    for piece in pieces:
        text += piece
        for word in stop:
            if word in text:
                yield text[shown : text.index(word)]
                return
        safe = max(shown, len(text) - longest + 1)
        yield text[shown:safe]
        shown = safe
    yield text[shown:]
