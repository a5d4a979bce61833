"""Drawings of lessons 02 and 08: pairs that are counted, texts that become rows."""

from minillm.course.demos import values
from minillm.course.pictures.drawing import Drawing, bars

SENTENCE = "the cat saw the cat the dog saw".split()  # the example of lesson 02


def counted_pairs() -> Drawing:
    """The bigram counts of a sentence, and what they say may come after one word."""
    words, after = sorted(set(SENTENCE)), "the"
    pairs = list(zip(SENTENCE, SENTENCE[1:]))
    counts = {a: [pairs.count((a, b)) for b in words] for a in words}
    row = counts[after]
    plain = [n / sum(row) for n in row]
    smoothed = [(n + 0.5) / (sum(row) + 0.5 * len(words)) for n in row]
    said = ", ".join(f"{b} {n}" for b, n in zip(words, row) if n)
    d = Drawing(380, 388,
                f"Counting the pairs of: {' '.join(SENTENCE)}. A row for each word, a column for "
                f"the word after it. The row of {after}: {said}. Divided by its sum it gives "
                f"probabilities, with a 0 for what was never seen; with a half added to each count "
                "no probability is 0.")
    for i, word in enumerate(SENTENCE):
        d.box(6 + 46.5 * i, 8, 41, 30, word, kind="second" if word == after else "plain")
        if word == after:
            x = 26 + 46.5 * i
            d.arrow((x, 40), (x, 54), (x + 46, 54), (x + 46, 42), kind="second")
    d.text(190, 74, f"after “{after}”: " + ", ".join(b for a, b in pairs if a == after))
    left, top, wide, high = 78, 112, 48, 32
    d.text(left - 10, top - 8, "after ↓", anchor="end")
    for j, word in enumerate(words):
        d.text(left + wide * (j + 0.5), top - 8, word, "strong")
    for i, a in enumerate(words):
        y = top + high * i
        d.text(left - 10, y + 21, a, "second" if a == after else "strong", "end")
        for j, n in enumerate(counts[a]):
            d.share(left + wide * j + 1, y + 1, wide - 2, high - 2, 0.3 * n,
                    "second" if a == after else "first")
            d.text(left + wide * (j + 0.5), y + 21, str(n), "strong" if n else "soft")
    right, y = left + wide * len(words), top + high * words.index(after)
    d.parts.append(f'<rect x="{left}" y="{y}" width="{right - left}" height="{high}" rx="4" '
                   'class="second"/>')
    d.text(right + 12, top + 20, "how often each", anchor="start")
    d.text(right + 12, top + 38, "pair was seen", anchor="start")
    d.arrow((right + 4, y + 16), (right + 54, y + 16), (right + 54, y + 46), kind="second")
    for x, shares, name in ((20, plain, "count / sum"), (216, smoothed, "(count + ½) / sum")):
        bars(d, x, 346, shares, nothing="0", size=144, kind="second")
        for j, word in enumerate(words):
            d.text(x + 36 * (j + 0.5), 362, word)
        d.text(x + 72, 382, name, "strong")
    return d


def rows_of_text() -> Drawing:
    """Where rows begin in the tape of stories, and one row as inputs and targets (lesson 08)."""
    d = Drawing(380, 326,
                "The stories stand one after the other, each with an end mark. Each row of a batch "
                "begins where a story begins, and runs on into the next one. Of one row, Once upon "
                "a time, all tokens but the last are inputs, all but the first are targets: each "
                "input is asked for the token one place further.")
    stories = (92, "story 1"), (124, "story 2"), (68, "story 3"), (92, "story 4")
    x, starts = 2, []
    for width, name in stories:
        starts.append(x)
        d.box(x, 24, width - 8, 30, name)
        d.text(x + width - 4, 44, "·", "strong")
        x += width
    d.text(190, 14, "the training text; a dot: the end-of-text token")
    for i, story in enumerate((2, 0)):
        y, start = 70 + 32 * i, starts[story]
        d.box(start, y, 150, 24, kind="first")
        d.text(start + 75, y + 17, f"row {i + 1} of the batch")
        d.line((start + 1, 54), (start + 1, y + 6), kind="first")
    d.arrow((75, 128), (75, 162), kind="first")
    d.text(84, 154, "one row, T + 1 tokens", anchor="start")
    words, size = ("Once", "upon", "a", "time"), 92
    for t, word in enumerate(words):
        d.box(8 + size * t, 168, size - 10, 30, word, kind="first")
    d.text(190, 220, "shifted by one: T questions at once", "strong")
    for t, (word, target) in enumerate(zip(words, words[1:])):
        x = 70 + size * t
        d.box(x, 232, size - 10, 30, word)
        d.arrow((x + 41, 264), (x + 41, 282))
        d.box(x, 286, size - 10, 30, target, kind="second")
    return d.text(62, 252, "input", "strong", "end").text(62, 306, "target", "strong", "end")


def held_out(results) -> Drawing:
    """Documents that are trained on and those that are kept apart, and a copy that leaks."""
    exact = values(results)[0]
    trained, kept = exact["stories"], exact["held_out"]
    d = Drawing(380, 206,
                f"{trained:,} stories are trained on, {kept:,} are held out, here a square for "
                "about a hundred. If a story that is held out stands in the training text too, the "
                "model is asked what it has learned by heart, and the held-out loss is too good.")
    for n in range(round(trained / 100)):
        x, y = 8 + 20 * (n % 11), 34 + 20 * (n // 11)
        leaks = n == 4 * 11 + 10
        d.share(x, y, 15, 15, 1 if leaks else 0.3, "second" if leaks else "first")
    for n in range(round(kept / 100)):
        x, y = 296 + 20 * (n % 3), 114 + 20 * (n // 3)
        d.share(x, y, 15, 15, 1, "second" if n == 0 else "first")
    d.text(8, 22, f"trained on: {trained:,}", "strong", "start")
    d.text(372, 22, f"held out: {kept:,}", "strong", "end")
    d.line((225, 122), (295, 122), kind="second")
    d.text(260, 112, "a copy", "second")
    d.text(190, 176, "a copy is answered from memory:", "strong")
    return d.text(190, 196, "the held-out loss is then too good, and nothing says so")
