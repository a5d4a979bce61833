"""Drawings of lessons 20 and 21: what one vocabulary makes of other languages, and where a planted
secret is in the order of all that are possible."""

from math import log10

from minillm.course.demos import values
from minillm.course.pictures.drawing import Drawing


def same_text(results) -> Drawing:
    """The tokens of one text in each language, by two vocabularies (lesson 20)."""
    languages = values(results)[0]["languages"]
    most = max(one["english"] for one in languages.values())
    said = "; ".join(f"{name} {one['english']} and {one['alpha 0']}"
                     for name, one in languages.items())
    d = Drawing(390, 62 + 36 * len(languages),
                "How many tokens the same text takes in each language, with a vocabulary that was "
                f"trained on English alone and with one trained on all alike. {said}.")
    d.share(100, 8, 18, 12, 1).text(124, 19, "vocabulary of English alone", anchor="start")
    d.share(100, 28, 18, 12, 1, "second").text(124, 39, "vocabulary of all alike", anchor="start")
    for i, (name, one) in enumerate(languages.items()):
        y = 54 + 36 * i
        d.text(92, y + 18, name, "strong", "end")
        for j, (vocabulary, kind) in enumerate((("english", "first"), ("alpha 0", "second"))):
            width = 240 * one[vocabulary] / most
            d.share(100, y + 14 * j, width, 11, 1, kind)
            d.text(106 + width, y + 10 + 14 * j, f"{one[vocabulary]}", anchor="start")
    return d


def found_out(results) -> Drawing:
    """The place of a planted secret among all that are possible, by how often it was there."""
    exact, found = values(results)
    possible, counts = exact["possible"], [n for n in exact["counts"] if n in (0, 16, 64, 128)]
    ranks = {n: possible / 2 ** found[f"large_bits_{n}"] for n in counts}
    said = ", ".join(f"{n} copies: {rank:.0f}" for n, rank in ranks.items())
    d = Drawing(390, 56 + 46 * len(counts) + 44,
                f"All {possible:,} possible secrets in the order of their probability under the "
                f"model, on a logarithmic line, and the place of the planted one: {said}.")
    left, width = 92, 270
    d.text(left, 20, "tried first", "strong", "start")
    d.text(left + width, 20, "tried last", "strong", "end")
    for i, (n, rank) in enumerate(ranks.items()):
        y = 48 + 46 * i
        x = left + width * log10(max(rank, 1)) / log10(possible)
        d.text(left - 12, y + 5, f"{n} copies" if n else "nowhere", "strong", "end")
        d.line((left, y), (left + width, y))
        d.share(x - 5, y - 9, 10, 18, 1)
        d.text(min(x, left + width - 30), y + 24, f"place {rank:.0f}")
    y = 48 + 46 * len(counts)
    for place in (1, 10, 100, possible):
        d.text(left + width * log10(place) / log10(possible), y + 8, f"{place:,}")
    return d.text(left + width / 2, y + 30, "place among all that are possible")
