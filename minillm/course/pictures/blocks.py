"""Drawings of lessons 03 and 05: heads that share keys, and two blocks beside each other."""

from minillm.course.pictures.drawing import Drawing


def groups() -> Drawing:
    """Which key/value head each query head uses, for every way of sharing (lesson 03)."""
    heads = 4
    d = Drawing(380, 208,
                f"{heads} query heads with 4, 2 and 1 key/value heads. With 4 each has its own; "
                "with 2 the query heads 0 and 1 share the first, 2 and 3 the second; with 1 all "
                "share it. A token adds to the cache a key and a value for each key/value head: 8, "
                "4 and 2 vectors.")
    names = {4: "each its own", 2: "grouped: G = 2", 1: "one for all"}
    for column, (shared, name) in enumerate(names.items()):
        left = 8 + 126 * column
        d.text(left + 56, 18, name, "strong")
        width = 112 / shared
        for k in range(shared):
            d.box(left + width * k + 2, 112, width - 4, 32, f"kv {k}" if shared < 4 else str(k),
                  kind="second")
        for h in range(heads):
            x = left + 28 * h + 14
            d.box(x - 12, 34, 24, 30, str(h), kind="first")
            k = h // (heads // shared)
            d.arrow((x, 64), (left + width * (k + 0.5) + (x - left - width * (k + 0.5)) * 0.5, 108))
        d.text(left + 56, 164, f"K = {shared}", "strong")
        d.text(left + 56, 182, f"{2 * shared} vectors kept")
    return d.text(190, 204, "blue: query heads; orange: key/value heads")


def two_blocks() -> Drawing:
    """The block of 2017 and LLaMA's: where the norm stands, and whether the stream is free."""
    d = Drawing(380, 470,
                "The block of 2017 beside LLaMA's. In 2017 each sum goes through a norm: the "
                "residual stream itself is normed twice in a block. In LLaMA the norm "
                "stands at the "
                "beginning of each branch, and the stream runs from the first layer to the last "
                "with nothing but additions.")
    for left, title, after in ((0, "2017", True), (196, "LLaMA", False)):
        x, side = left + 26, left + 60
        d.text(left + 90, 20, title, "strong")
        kind = "first" if not after else ""
        d.line((x, 26), (x, 440), kind=kind)
        if after:
            d.text(x + 8, 40, "positions added once", anchor="start")
        d.arrow((x, 440), (x, 462), kind=kind)
        for y, part, inner in ((44, "attention", "" if after else "rotates q and k"),
                               (248, "mlp", "ReLU" if after else "SwiGLU")):
            d.line((x, y + 8), (side + 56, y + 8))
            top = y + 22
            if not after:
                d.arrow((side + 56, y + 8), (side + 56, y + 20))
                d.box(side, top, 112, 28, "RMSNorm")
                d.arrow((side + 56, top + 28), (side + 56, top + 42))
                d.box(side, top + 46, 112, 46, part, inner, kind="second")
                bottom = top + 92
            else:
                d.arrow((side + 56, y + 8), (side + 56, y + 20))
                d.box(side, top, 112, 46, part, *filter(None, [inner]), kind="second")
                bottom = top + 46
            plus = y + (96 if after else 142)
            d.arrow((side + 56, bottom), (side + 56, plus), (x + 14, plus))
            d.parts.append(f'<circle cx="{x}" cy="{plus}" r="12" class="sheet"/>')
            d.text(x, plus + 5, "+", "strong")
            if after:
                d.parts.append(f'<rect x="{left + 4}" y="{plus + 22}" width="120" height="28" '
                               'rx="6" class="sheet"/>')
                d.text(left + 64, plus + 41, "LayerNorm", "second")
    return d
