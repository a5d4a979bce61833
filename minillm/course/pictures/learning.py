"""Drawings of lessons 06 and 07: derivatives that are added, and Adam's two means."""

from math import sqrt

from minillm.course.pictures.drawing import Drawing


def shared_weight() -> Drawing:
    """Two tokens through one matrix, and back: the example of lesson 06, `A linear map`."""
    x, w, dy = ((1, 2), (3, 0)), (2, 1), (1, 10)
    y = [sum(a * b for a, b in zip(row, w)) for row in x]
    dx = [tuple(d * a for a in w) for d in dy]
    parts = [tuple(d * a for a in row) for row, d in zip(x, dy)]
    dw = tuple(map(sum, zip(*parts)))
    d = Drawing(380, 338,
                f"Forward: the tokens {x[0]} and {x[1]} pass the same weights {w} and "
                f"become {y[0]} "
                f"and {y[1]}. Backward: dy is {dy[0]} and {dy[1]}. Each token gets its own dx, "
                f"{dx[0]} and {dx[1]}. The weights were used twice, so their derivative is the sum "
                f"of two parts, {parts[0]} + {parts[1]} = {dw}.")
    d.text(8, 20, "forward: one w for every token", "strong", "start")
    d.box(150, 34, 80, 106, "w", str(w), kind="first")
    for i in range(2):
        top = 36 + 58 * i
        d.box(8, top, 92, 44, f"token {i + 1}: x", str(x[i])).arrow((100, top + 22),
                                                                    (146, top + 22))
        d.box(280, top, 92, 44, f"token {i + 1}: y", str(y[i])).arrow((230, top + 22),
                                                                      (276, top + 22))
    d.text(8, 178, "backward: what goes two ways is added", "strong", "start")
    for i in range(2):
        top = 194 + 58 * i
        d.box(278, top, 96, 44, f"token {i + 1}: dy", str(dy[i]), kind="second")
        d.box(8, top, 92, 44, "dx = dy w", str(dx[i]), kind="second")
        d.box(146, top, 88, 44, "x dy", str(parts[i]))
        d.arrow((280, top + 22), (238, top + 22), kind="second")
    d.arrow((280, 202), (262, 202), (262, 188), (116, 188), (116, 216), (104, 216), kind="second")
    d.arrow((280, 288), (262, 288), (262, 302), (116, 302), (116, 274), (104, 274), kind="second")
    d.text(190, 250, "+", "second")
    return d.text(190, 330, f"dw = {parts[0]} + {parts[1]} = {dw}", "second")


BETAS = 0.9, 0.99
CASES = (("steady", (1, ) * 8), ("10 × steady", (10, ) * 8),
         ("alternating", (1, -1) * 4))


def two_means() -> Drawing:
    """Adam's two running means for three kinds of gradients, and the step that they give."""
    steps = {name: list(adam(gradients)) for name, gradients in CASES}
    said = ", ".join(f"{found[-1][2]:.2f} ({name})" for name, found in steps.items())
    d = Drawing(380, 348,
                "Eight steps of Adam for a gradient that is steady, for one that is ten times "
                "as large, and for one that changes sign each time. m is the mean of "
                "the gradients, "
                "the root of v their typical size, and the step is one divided by the other. The "
                f"last step is {said}.")
    names = (("g", "gradient"), ("m", "its mean"), ("√v", "its size"), ("m / √v", "the step"))
    for row, (name, what) in enumerate(names):
        y = 70 + 82 * row
        d.text(2, y - 2, name, "strong", "start").text(2, y + 15, what, "soft", "start")
        if row == 3:
            d.parts.append(f'<rect x="68" y="{y - 38}" width="310" height="64" rx="6" '
                           'class="frame"/>')
    for column, (name, gradients) in enumerate(CASES):
        left = 76 + 104 * column
        d.text(left + 44, 20, name, "strong")
        largest = max(map(abs, gradients))
        tracks = (gradients, *zip(*steps[name]))
        for row, track in enumerate(tracks):
            y, kind = 70 + 82 * row, "second" if row == 3 else "first"
            d.line((left, y), (left + 90, y))
            unit = 32 / (1 if row == 3 else largest)
            for t, value in enumerate(track):
                high = max(abs(value) * unit, 0.8)
                d.share(left + 11 * t + 2, y - high if value > 0 else y, 8, high, 1, kind)
            shown = f"{track[-1]:.2f}".removesuffix(".00").replace("-", "−")
            if track[-1] != -1:
                d.text(left + 90, y + 18, shown, "second" if row == 3 else "soft", "end")
    return d


def adam(gradients):
    """(m, root of v, m / root of v) after each gradient, both corrected for the start at 0."""
    m = v = 0
    for t, g in enumerate(gradients, 1):
        m, v = BETAS[0] * m + (1 - BETAS[0]) * g, BETAS[1] * v + (1 - BETAS[1]) * g * g
        mean, size = m / (1 - BETAS[0]**t), sqrt(v / (1 - BETAS[1]**t))
        yield mean, size, mean / size
