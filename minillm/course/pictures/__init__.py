"""The drawings of the site and the lessons as inline SVG: they take the colours of the page, light
or dark, and need no script. {{ picture NAME }} shows one. One that takes `results` draws the numbers
of its lesson's demo.
"""

from html import escape
from math import cos, sin

from minillm.course.demos import values
from minillm.course.pictures.blocks import groups, two_blocks
from minillm.course.pictures.costs import spent
from minillm.course.pictures.counting import counted_pairs, held_out, rows_of_text
from minillm.course.pictures.drawing import Drawing, bars
from minillm.course.pictures.fairness import leaning
from minillm.course.pictures.fewer_bits import nibbles, outlier
from minillm.course.pictures.learning import shared_weight, two_means
from minillm.course.pictures.machine import file_bytes, fused, read_as
from minillm.course.pictures.release import found_out, same_text
from minillm.course.pictures.scaling import two_costs
from minillm.course.pictures.teaching import graded_group, patched_once, soft_target


def whole() -> Drawing:
    """One picture of the whole: text to tokens to model, and what is done with the model."""
    d = Drawing(
        700, 400,
        "Text becomes tokens; tokens train one model, which is written twice, in NumPy to be read "
        "and in JAX to be fast; the trained model writes, is quantized, distilled and inspected.")
    d.box(20, 30, 150, 56, "text", "stories, or your own").box(270, 30, 150, 56, "tokens",
                                                               "byte-pair encoding")
    d.box(520, 30, 160, 56, "batches", "rows of tokens")
    d.arrow((170, 58), (266, 58)).arrow((420, 58), (516, 58))
    d.box(120, 150, 460, 110, kind="frame")
    d.text(350, 172, "one model, the same names, tested against each other")
    d.box(145, 188, 190, 56, "in_numpy", "to read, backward by hand", kind="first")
    d.box(365, 188, 190, 56, "in_jax", "to be fast, compiled", kind="second")
    d.arrow((600, 86), (600, 215), (584, 215))
    d.text(612, 140, "train", anchor="start")
    for x, name, what in ((20, "generate", "it writes"), (158, "quantize", "8 and 4 bits"),
                          (296, "distill", "a smaller one"), (434, "inspect", "look inside"),
                          (572, "lesson", "learn and check")):
        d.box(x, 320, 116, 56, name, what)
        d.arrow((x + 58, 290), (x + 58, 316))
    d.line((78, 290), (630, 290)).line((350, 260), (350, 290))
    return d


def block() -> Drawing:
    """The shapes through one block of the model."""
    d = Drawing(
        384, 700,
        "Shapes through one block: the residual stream of B texts, T tokens and D numbers passes a "
        "norm and attention with H query heads and K key and value heads of size E, which is added "
        "back; then a norm and a feed-forward of width F, which is added back.")
    d.text(42, 22, "resid_pre  (B, T, D)", "strong", "start")
    d.arrow((26, 10), (26, 690))
    d.box(58, 40, 100, 36, "norm")
    d.arrow((26, 58), (54, 58)).arrow((108, 76), (108, 104))
    for x, name, shape in ((58, "q", "(B, H, T, E)"), (168, "k", "(B, K, S, E)"),
                           (278, "v", "(B, K, S, E)")):
        d.box(x, 108, 100, 46, name, shape)
    d.arrow((108, 90), (218, 90), (218, 104)).arrow((218, 90), (328, 90), (328, 104))
    d.box(58, 186, 210, 42, "rope: turn by position")
    d.arrow((108, 154), (108, 182)).arrow((218, 154), (218, 182))
    d.box(58, 260, 210, 46, "scores, then pattern", "(B, K, G, T, S)", kind="first")
    d.arrow((108, 228), (108, 256)).arrow((218, 228), (218, 256))
    d.box(58, 338, 320, 46, "z = pattern v", "(B, T, H, E)")
    d.arrow((163, 306), (163, 334)).arrow((328, 154), (328, 334))
    d.box(148, 416, 140, 46, "o_proj", "(B, T, D)").arrow((218, 384), (218, 412))
    d.box(8, 421, 36, 36, "+").arrow((148, 439), (48, 439)).text(98, 432, "attn_out")
    d.text(42, 492, "resid_mid  (B, T, D)", "strong", "start")
    d.box(58, 508, 66, 46, "norm").box(144, 508, 96, 46, "gate, up", "(B, T, F)", kind="second")
    d.box(260, 508, 118, 46, "silu(gate) up", "(B, T, F)", kind="second")
    d.arrow((26, 531), (54, 531)).arrow((124, 531), (140, 531)).arrow((240, 531), (256, 531))
    d.box(249, 586, 129, 46, "down_proj", "(B, T, D)").arrow((319, 554), (319, 582))
    d.box(8, 591, 36, 36, "+").arrow((249, 609), (48, 609)).text(148, 602, "mlp_out")
    d.text(42, 668, "resid_post  (B, T, D)", "strong", "start")
    return d


def merging() -> Drawing:
    """Byte-pair encoding of aaabdaaabac, step by step (the example of lesson 01)."""
    d = Drawing(388, 232,
                "Byte-pair encoding of the eleven bytes aaabdaaabac: a a becomes Z, nine tokens "
                "are left; then a b becomes Y, seven are left; then Z Y becomes X, five are left.")
    rows = ("a a a b d a a a b a c", "Z a b d Z a b a c", "Z Y d Z Y a c", "X d X a c")
    notes = ("11 bytes", "Z = a a", "Y = a b", "X = Z Y")
    bytes_of, new = {"Z": 2, "Y": 2, "X": 4}, ("", "Z", "Y", "X")
    for i, (row, note) in enumerate(zip(rows, notes)):
        x, y = 4, 10 + 56 * i
        for token in row.split():
            width = 28 * bytes_of.get(token, 1)
            d.box(x, y, width - 5, 40, token, kind="first" if token == new[i] else "plain")
            x += width
        d.text(322, y + 18, note, "strong", "start")
        d.text(322, y + 35, f"{len(row.split())} tokens", "soft", "start")
    return d


def attention() -> Drawing:
    """One query against three keys: scores, shares, the mean of the values (the numbers of lesson 03)."""
    d = Drawing(384, 348, "Attention of the third token: its query is compared with the key of each of the three tokens, "
                          "which gives the scores 0, ln 2 and ln 5; the softmax makes them the shares 1/8, 2/8 and 5/8; "
                          "the result is the mean of the three values by these shares, (2, 6).")
    d.box(4, 8, 120, 48, "query 3", "what I look for", kind="first")
    d.text(158, 84, "score").text(250, 84, "share")
    rows = (("0", "1/8", "(8, 0)"), ("ln 2", "2/8", "(4, 4)"), ("ln 5", "5/8", "(0, 8)"))
    for i, (score, share, value) in enumerate(rows):
        y = 94 + 68 * i
        d.box(38, y, 64, 48, f"key {i + 1}").box(132, y, 52, 48, score)
        d.box(224, y, 52, 48, share, kind="second").box(302, y, 78, 48, f"value {i + 1}", value)
        d.arrow((16, y + 24), (34, y + 24)).arrow((102, y + 24), (128, y + 24))
        d.line((184, y + 24), (203, y + 24)).arrow((203, y + 24), (220, y + 24))
        d.text(289, y + 29, "×")
    d.line((16, 56), (16, 254)).line((203, 118), (203, 254))
    d.text(192, 318, "the softmax sees all scores of the query at once;")
    return d.text(192, 338, "added up, share × value = (2, 6)")


def cache() -> Drawing:
    """Writing with a cache: keys and values of earlier tokens are kept, one row is new."""
    d = Drawing(384, 250, "Writing with a cache: the keys and values of the tokens so far, Once there was, are kept from "
                          "earlier steps; for the new token a, one query, one key and one value are computed, the key and "
                          "value are added to the cache, and the query looks at all of them.")
    for i, token in enumerate(("Once", "there", "was", "a")):
        x, kind = 48 + 82 * i + 12 * (token == "a"), "second" if token == "a" else "plain"
        d.text(x + 36, 24, token, "strong")
        d.box(x, 40, 72, 44, f"key {i + 1}", kind=kind).box(x, 96, 72, 44, f"value {i + 1}",
                                                            kind=kind)
    d.box(38, 32, 256, 116, kind="frame")
    d.text(166, 168, "kept: the cache").text(336, 168, "new now")
    d.box(306, 186, 72, 44, "query 4", kind="first")
    d.line((306, 208), (16, 208)).arrow((16, 208), (16, 62), (34, 62))
    d.text(161, 228, "one query looks at every key, old and new")
    return d


# ---- From the numbers of a demo ----------------------------------------------------------------


def one_word(results) -> Drawing:
    """A word of lesson 01's sample, cut with more and more merges."""
    cuts = values(results)[0]["cuts"]
    word, rows = "\u0120teacher", []
    at = "".join(cuts[0]["tokens"]).index(word)
    for cut in cuts:
        start, tokens = 0, []
        for token in cut["tokens"]:
            if at <= start < at + len(word):
                tokens.append(token)
            start += len(token)
        rows.append((cut["merges"], tokens))
    said = "; ".join(f"{count:,} merges: {' '.join(tokens)}" for count, tokens in rows)
    d = Drawing(380, 8 + 44 * len(rows),
                f"The word teacher with its space, after more and more merges. {said}.")
    for i, (count, tokens) in enumerate(rows):
        y, x = 8 + 44 * i, 96
        d.text(86, y + 22, f"{count:,} merges" if count != 1 else "1 merge", anchor="end")
        before = rows[i - 1][1] if i else tokens
        for token in tokens:
            d.box(x, y, 33 * len(token) - 5, 32, token.replace("\u0120", "\u2423"),
                  kind="plain" if token in before else "first")
            x += 33 * len(token)
    return d


def masked(results) -> Drawing:
    """Which keys each query of lesson 03's first words looks at, and which the mask hides."""
    exact, found = values(results)
    count, size, left, top = 8, 34, 84, 70
    words = [word.strip() for word in exact["pictures"][found["picture"]]["words"][:count]]
    rows = found["trained_pattern"][:count]
    most = ", ".join(f"{words[t]} at {words[row.index(max(row))]} ({max(row):.0%})"
                     for t, row in enumerate(rows) if t)
    d = Drawing(380, top + size * count + 48,
                f"A row for each query, a column for each key, in the words {' '.join(words)}. The "
                "mask hides every key after the query. What is left of a row adds up to 1. Most of "
                f"it: {most}.")
    for t, row in enumerate(rows):
        x, y = left + size * t, top + size * t
        d.text(left - 8, y + size / 2 + 5, words[t], "strong" if t == count - 1 else "soft", "end")
        d.parts.append(f'<text transform="translate({x + size / 2 + 2} {top - 8}) rotate(-55)" '
                       f'class="soft">{escape(words[t])}</text>')
        for s in range(count):
            x = left + size * s
            if s > t:
                d.line((x + 11, y + 23), (x + 23, y + 11))
            else:
                d.share(x + 1, y + 1, size - 2, size - 2, 0.9 * row[s])
                if row[s] >= 0.095:
                    d.text(x + size / 2, y + size / 2 + 5, f"{row[s]:.0%}".removesuffix("%"),
                           "strong inside" if row[s] > 0.7 else "strong")
    y = top + size * count
    d.text(190, y + 22, "row: a query, column: a key; struck out: masked")
    return d.text(190, y + 40, "number: percent of the query's attention, from 10 on")


def rotated_pairs(results) -> Drawing:
    """The hands of lesson 04's pairs at the first positions."""
    frequencies = values(results)[0]["frequencies"]
    said = ", ".join(f"{frequency:g}" for frequency in frequencies)
    d = Drawing(380, 168,
                "One dial for each pair of numbers. Its hand turns by the pair's frequency at each "
                f"position: {said} radians. By position 3 the first has turned by almost half a "
                "circle, and the last has hardly moved.")
    for i, frequency in enumerate(frequencies):
        x, y, radius = 50 + 93 * i, 48, 40
        d.circle(x, y, radius)
        for position in range(4):
            angle = position * frequency
            end = (round(x + radius * cos(angle), 1), round(y - radius * sin(angle), 1))
            d.parts.append(f'<line x1="{x}" y1="{y}" x2="{end[0]}" y2="{end[1]}" class="hand" '
                           f'style="stroke-opacity: {0.25 + 0.25 * position}"/>')
        d.text(x, 112, f"pair {i}", "strong").text(x, 131, f"{frequency:g} a token")
    return d.text(190, 162, "hands at positions 0, 1, 2, 3: the later the darker")


def cache_grows() -> Drawing:
    """What is computed at each step of writing five tokens, with a cache and without."""
    words, size = ("Once", "there", "was", "a", "fox"), 30
    total = len(words) * (len(words) + 1) // 2
    d = Drawing(380, 250,
                f"Five steps of writing {' '.join(words)}. With a cache each step computes the key "
                f"and value of one token and keeps those before it: {len(words)} in all. Without, "
                f"it computes all of them again: {total} in all.")
    for x, name in ((62, "with a cache"), (222, "without")):
        d.text(x + 75, 18, name, "strong")
    for t, word in enumerate(words):
        y = 34 + 34 * t
        d.text(54, y + 20, word, anchor="end")
        for s in range(t + 1):
            d.box(62 + size * s, y, size - 4, 28, kind="first" if s == t else "kept")
            d.box(222 + size * s, y, size - 4, 28, kind="first")
    d.text(137, 222, f"{len(words)} computed").text(297, 222, f"{total} computed")
    return d.text(190, 242, "a box: a key and a value; bold: computed in this step")


def conversation(results) -> Drawing:
    """The tokens of one conversation of lesson 16, and which of them count in the loss."""
    exact, x, y, boxes = values(results)[0], 8, 8, []
    for piece, counts in zip(exact["pieces"], exact["piece_counts"]):
        shown = piece.replace(" ", "\u2423").replace("\n", "\u21b5")
        width = 9 * len(shown) + 10
        if x + width > 376:
            x, y = 8, y + 38
        boxes.append((x, y, width, 32, shown, "first" if counts else "kept"))
        x += width + 4
        if "\n" in piece:
            x, y = 8, y + 38
    counted, total = exact["parts"]
    said = "".join(piece for piece, counts in zip(exact["pieces"], exact["piece_counts"]) if counts)
    d = Drawing(384, y + (74 if x > 8 else 36),
                f"A conversation in {total} tokens: {' '.join(''.join(exact['pieces']).split())}. "
                f"{counted} of them are the assistant's and count in the loss: {said}.")
    for *place, shown, kind in boxes:
        d.box(*place, shown, kind=kind)
    return d.text(192, d.height - 12, "framed: the assistant writes it, and it counts")


def dials() -> Drawing:
    """Temperature and the cuts on the distributions that lesson 09 works out on paper."""
    d = Drawing(380, 270,
                "Above: the probabilities 4/7, 2/7, 1/7 at temperature one half, one and two: the "
                "lower the temperature, the more the first token has. Below: 0.5, 0.3, 0.15, 0.05, "
                "and what top-k 2, top-p 0.9 and min-p 0.2 keep of it, renormalized.")
    for i, temperature in enumerate((0.5, 1, 2)):
        powers = [p ** (1 / temperature) for p in (4 / 7, 2 / 7, 1 / 7)]
        bars(d, 13 + 124 * i, 90, [p / sum(powers) for p in powers], f"T = {temperature:g}")
    p = (0.5, 0.3, 0.15, 0.05)
    cuts = ((4, "as it is"), (2, "top-k 2"), (3, "top-p 0.9", "min-p 0.2"))
    for i, (kept, *names) in enumerate(cuts):
        left = [share / sum(p[:kept]) for share in p[:kept]] + [0] * (4 - kept)
        bars(d, 13 + 124 * i, 222, left, *names)
    return d
