"""Up to its end."""


def until(pieces, stop):
    text, shown, longest = "", 0, max(len(word) for word in stop)
    for piece in pieces:
        text += piece
        found = [(text.find(word), len(word)) for word in stop if word in text]
        if found:
            yield text[shown : sum(min(found))]
            return
        safe = max(shown, len(text) - longest + 1)
        yield text[shown:safe]
        shown = safe
    yield text[shown:]
