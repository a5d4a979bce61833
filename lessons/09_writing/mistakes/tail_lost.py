"""Nothing after the loop."""


def until(pieces, stop):
    text, shown, longest = "", 0, max(len(word) for word in stop)
    for piece in pieces:
        text += piece
        found = [text.find(word) for word in stop if word in text]
        if found:
            yield text[shown : min(found)]
            return
        if len(text) - longest + 1 > shown:
            yield text[shown : len(text) - longest + 1]
            shown = len(text) - longest + 1
