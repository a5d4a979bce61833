"""Drawings of lessons 11 and 12: a grid, a large number on it, and two integers in a byte."""

from math import sqrt

from minillm.course.pictures.drawing import Drawing

ORDINARY, LARGE = (1.27, -0.4, 0.3), (1.27, -0.4, 127.0)  # the tokens of lesson 11


def integers(numbers):
    """Their absmax scale, and the integers."""
    scale = max(map(abs, numbers)) / 127
    return scale, [round(x / scale) for x in numbers]


def outlier() -> Drawing:
    """One large input takes the grid from the others, and the two remedies of lesson 11."""
    smooth = [x / sqrt(abs(x)) for x in LARGE]
    aside = LARGE[:2]
    rows = (("an ordinary token", ORDINARY, ORDINARY, ""),
            ("one large input", LARGE, LARGE, "for all others −1, 0 and 1 are left"),
            ("LLM.int8(): large ones aside", aside, aside, "and 127.0 is multiplied apart"),
            ("SmoothQuant: x / s", smooth, LARGE, "and its weights multiplied by s"))
    found = [integers(numbers)[1] for _, numbers, _, _ in rows]
    d = Drawing(380, 404,
                f"Three numbers on a grid of integers. The token {ORDINARY} becomes "
                f"{found[0]}. The "
                f"token {LARGE} becomes {found[1]}: the large input takes the grid, and the others "
                f"are lost. LLM.int8() keeps the large one as a float, the others "
                f"become {found[2]}. "
                "SmoothQuant divides each input by a factor, here the root of its size, and moves "
                f"the factor into the weights: {found[3]}.")
    for row, (name, numbers, _, note) in enumerate(rows):
        y = 52 + 100 * row
        kind = "second" if row == 1 else "first"
        d.text(8, y - 32, name, "strong", "start")
        d.text(372, y - 32, ", ".join(f"{x:.3g}" for x in numbers).replace("-", "−"), "soft", "end")
        d.line((10, y), (370, y))
        for tick in range(-127, 128, 127 // 7):
            x = 190 + 180 * tick / 127
            d.line((x, y - 3), (x, y + 3))
        for i, q in enumerate(found[row]):
            x = 190 + 180 * q / 127
            d.parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="5" class="tip {kind}"/>')
            near = row == 1 and i == 0
            d.text(min(max(x, 22), 358) + (14 if near else -14 if row == 1 and i == 1 else 0),
                   y - 12, str(q).replace("-", "−"), kind)
        if note:
            d.text(190, y + 24, note)
    d.text(10, 76, "−127", anchor="start").text(370, 76, "127", anchor="end")
    return d.text(190, 76, "0")


def nibbles() -> Drawing:
    """3 and -2 become one byte: the example of lesson 12."""
    pair = (3, -2)
    halves = [q & 15 for q in pair]
    byte = halves[0] | halves[1] << 4
    d = Drawing(380, 296,
                f"Two integers in a byte. As int8, {pair[0]} is {pair[0] & 255:08b} and "
                f"{pair[1]} is "
                f"{pair[1] & 255:08b}. The last four bits of each are kept: {halves[0]:04b} and "
                f"{halves[1]:04b}. The first becomes the low half of the byte, the second the high "
                f"half: {byte:08b}, which is {byte}.")
    size = 19
    for i, (q, half) in enumerate(zip(pair, halves)):
        left, kind = 14 + 190 * i, ("first", "second")[i]
        d.text(left + 4 * size, 20, f"{q} as int8".replace("-", "−"), "strong")
        for j, digit in enumerate(f"{q & 255:08b}"):
            d.box(left + size * j, 30, size - 3, 28, digit, kind=kind if j >= 4 else "kept")
        d.text(left + 2 * size, 78, "cleared: & 15")
        middle = left + 6 * size
        target = 190 + (2 - 4 * i) * 34
        d.arrow((middle, 62), (middle, 100), (target, 100), (target, 132), kind=kind)
    for j, digit in enumerate(f"{byte:08b}"):
        d.box(190 - 4 * 34 + 34 * j, 138, 30, 40, digit, kind="second" if j < 4 else "first")
    d.text(122, 198, f"high half: {halves[1]} · 16", "second")
    d.text(258, 198, f"low half: {halves[0]}", "first")
    d.text(190, 226, f"{halves[1]} · 16 + {halves[0]} = {byte}, one byte", "strong")
    d.text(190, 258, "unpacked: 8 or more means minus 16")
    signed = f"{halves[0]} stays {pair[0]}; {halves[1]} − 16 = −{-pair[1]}"
    return d.text(190, 280, signed, "strong")
