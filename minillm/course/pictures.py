"""The drawings of the site and the lessons as inline SVG: they take the colours of the page, light or dark,
and need no script. {{ picture NAME }} shows one.
"""

from html import escape

STYLE = "font-family: inherit; font-size: 14px; fill: currentColor"


class Drawing:
    """Boxes, arrows and words on a sheet of width x height; `title` is read to those who cannot see it."""

    def __init__(self, width: int, height: int, title: str):
        self.width, self.height, self.title, self.parts = width, height, title, []

    def box(self, x, y, w, h, *lines, kind="plain"):
        self.parts.append(f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="6" class="{kind}"/>')
        top = y + h / 2 - 9 * (len(lines) - 1)
        for i, line in enumerate(lines):
            self.text(x + w / 2, top + 18 * i + 5, line, "strong" if i == 0 else "soft")
        return self

    def text(self, x, y, words, kind="soft", anchor="middle"):
        self.parts.append(
            f'<text x="{x}" y="{y}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>')
        return self

    def arrow(self, *points):
        line = " ".join(f"{x},{y}" for x, y in points)
        self.parts.append(f'<polyline points="{line}" class="arrow" marker-end="url(#tip)"/>')
        return self

    def line(self, *points):
        self.parts.append(
            f'<polyline points="{" ".join(f"{x},{y}" for x, y in points)}" class="arrow"/>')
        return self

    def svg(self) -> str:
        tip = f"tip-{self.width}-{self.height}-{len(self.parts)}"
        parts = "".join(self.parts).replace("url(#tip)", f"url(#{tip})")
        return (f'<figure class="diagram"><svg role="img" viewBox="0 0 {self.width} {self.height}" style="{STYLE}" '
                f'aria-label="{escape(self.title)}"><defs><marker id="{tip}" viewBox="0 0 8 8" refX="7" refY="4" '
                'markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path d="M0 0 L8 4 L0 8 z" '
                f'fill="currentColor"/></marker></defs>{parts}</svg></figure>')


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
        700, 640,
        "Shapes through one block: the residual stream of B texts, T tokens and D numbers passes a "
        "norm and attention with H query heads and K key and value heads of size E, which is added "
        "back; then a norm and a feed-forward of width F, which is added back.")
    d.text(60, 22, "resid_pre  (B, T, D)", "strong", "start")
    d.arrow((40, 10), (40, 610))
    d.box(90, 40, 130, 40, "norm")
    d.arrow((40, 60), (86, 60)).arrow((155, 80), (155, 108))
    for x, name, shape in ((90, "q", "(B, H, T, E)"), (240, "k", "(B, K, S, E)"),
                           (390, "v", "(B, K, S, E)")):
        d.box(x, 112, 130, 46, name, shape)
    d.arrow((155, 94), (305, 94), (305, 108)).arrow((305, 94), (455, 94), (455, 108))
    d.box(90, 190, 280, 46, "rope: turn q and k by their positions")
    d.arrow((155, 158), (155, 186)).arrow((305, 158), (305, 186))
    d.box(90, 266, 280, 46, "scores, then pattern", "(B, K, G, T, S)", kind="first")
    d.arrow((155, 236), (155, 262)).arrow((305, 236), (305, 262))
    d.box(90, 342, 430, 46, "z = pattern v", "(B, T, H, E)")
    d.arrow((230, 312), (230, 338)).arrow((455, 158), (455, 338))
    d.box(560, 342, 120, 46, "o_proj", "(B, T, D)")
    d.arrow((520, 365), (556, 365))
    d.box(22, 410, 36, 36, "+")
    d.arrow((620, 388), (620, 428), (62, 428))
    d.text(80, 420, "attn_out", "soft", "start")
    d.text(60, 470, "resid_mid  (B, T, D)", "strong", "start")
    d.box(90, 488, 90, 46, "norm").box(220, 488, 160, 46, "gate, up", "(B, T, F)", kind="second")
    d.box(420, 488, 160, 46, "silu(gate) up", "(B, T, F)", kind="second")
    d.arrow((40, 511), (86, 511)).arrow((180, 511), (216, 511)).arrow((380, 511), (416, 511))
    d.box(22, 560, 36, 36, "+")
    d.arrow((500, 534), (500, 578), (62, 578))
    d.text(80, 570, "mlp_out = down_proj of it  (B, T, D)", "soft", "start")
    d.text(60, 628, "resid_post  (B, T, D)", "strong", "start")
    return d


def merging() -> Drawing:
    """Byte-pair encoding of aaabdaaabac, step by step (the example of lesson 01)."""
    d = Drawing(700, 300,
                "Byte-pair encoding of the eleven bytes aaabdaaabac: a a becomes Z, nine tokens "
                "are left; then a b becomes Y, seven are left; then Z Y becomes X, five are left.")
    rows = ("a a a b d a a a b a c", "Z a b d Z a b a c", "Z Y d Z Y a c", "X d X a c")
    notes = ("11 bytes", "Z = a a", "Y = a b", "X = Z Y")
    bytes_of, new = {"Z": 2, "Y": 2, "X": 4}, ("", "Z", "Y", "X")
    for i, (row, note) in enumerate(zip(rows, notes)):
        x, y = 10, 12 + 74 * i
        for token in row.split():
            width = 50 * bytes_of.get(token, 1)
            d.box(x, y, width - 6, 44, token, kind="first" if token == new[i] else "plain")
            x += width
        d.text(570, y + 20, note, "strong", "start")
        d.text(570, y + 38, f"{len(row.split())} tokens", "soft", "start")
    return d


def attention() -> Drawing:
    """One query against three keys: scores, shares, the mean of the values (the numbers of lesson 03)."""
    d = Drawing(700, 330, "Attention of the third token: its query is compared with the key of each of the three tokens, "
                          "which gives the scores 0, ln 2 and ln 5; the softmax makes them the shares 1/8, 2/8 and 5/8; "
                          "the result is the mean of the three values by these shares, (2, 6).")
    d.box(20, 134, 120, 56, "query 3", "what I look for", kind="first")
    for i, (score, share, value) in enumerate(
        (("0", "1/8", "(8, 0)"), ("ln 2", "2/8", "(4, 4)"), ("ln 5", "5/8", "(0, 8)"))):
        y = 30 + 104 * i
        d.box(196, y, 92, 56, f"key {i + 1}").box(332, y, 66, 56,
                                                  score).box(442, y, 66, 56, share, kind="second")
        d.box(552, y, 128, 56, f"value {i + 1}", value)
        d.arrow((140, 162), (168, 162), (168, y + 28),
                (192, y + 28)).arrow((288, y + 28), (328, y + 28))
        d.line((508, y + 28), (552, y + 28)).text(530, y + 22, "×")
    d.text(365, 20, "score").text(475, 20, "share")
    d.line((420, 58), (420, 266)).line((398, 58), (420, 58)).line((398, 162), (420, 162)).line(
        (398, 266), (420, 266))
    for y in (58, 162, 266):
        d.arrow((420, y), (438, y))
    d.text(420, 316,
           "the softmax sees all scores of the query at once; added up, share × value = (2, 6)")
    return d


def cache() -> Drawing:
    """Writing with a cache: keys and values of earlier tokens are kept, one row is new."""
    d = Drawing(700, 250, "Writing with a cache: the keys and values of the tokens so far, Once there was, are kept from "
                          "earlier steps; for the new token a, one query, one key and one value are computed, the key and "
                          "value are added to the cache, and the query looks at all of them.")
    for i, token in enumerate(("Once", "there", "was", "a")):
        x, kind = 130 + 112 * i, "second" if token == "a" else "plain"
        d.text(x + 48, 24, token, "strong")
        d.box(x, 40, 96, 44, f"key {i + 1}", kind=kind).box(x, 96, 96, 44, f"value {i + 1}",
                                                            kind=kind)
    d.box(118, 32, 340, 116, kind="frame")
    d.text(288, 168, "kept: the cache").text(514, 168, "new in this step")
    d.box(466, 186, 96, 44, "query 4", kind="first")
    d.line((466, 208), (90, 208)).arrow((90, 208), (90, 62), (114, 62))
    d.text(280, 226, "one query looks at every key, old and new")
    return d
