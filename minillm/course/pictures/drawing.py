"""What drawings are made of: boxes, bars, arrows and words, as inline SVG."""

from html import escape

STYLE = "font-family: inherit; font-size: 14px; fill: currentColor"
NARROW = 400  # a drawing of at most this width is readable on a phone as it is; a wider one scrolls


class Drawing:
    """Boxes, arrows and words on a sheet of width x height; `title` is for those who cannot see."""

    def __init__(self, width: int, height: int, title: str):
        self.width, self.height, self.title, self.parts = width, height, title, []
        self.kind = "diagram" if width > NARROW else "diagram narrow"

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

    def arrow(self, *points, kind=""):
        line = " ".join(f"{x:g},{y:g}" for x, y in points)
        self.parts.append(f'<polyline points="{line}" class="arrow {kind}" '
                          f'marker-end="url(#tip{kind})"/>')
        return self

    def share(self, x, y, w, h, share: float, kind="first"):
        """A cell as dark as its share of 1."""
        self.parts.append(f'<rect x="{x:.4g}" y="{y:.4g}" width="{w:.4g}" height="{h:.4g}" '
                          f'class="share {kind}" style="fill-opacity: {share:.3f}"/>')
        return self

    def circle(self, x, y, radius):
        self.parts.append(f'<circle cx="{x}" cy="{y}" r="{radius}" class="arrow"/>')
        return self

    def line(self, *points, kind=""):
        line = " ".join(f"{x:g},{y:g}" for x, y in points)
        self.parts.append(f'<polyline points="{line}" class="arrow {kind}"/>')
        return self

    def svg(self) -> str:
        name = f"tip-{self.width}-{self.height}-{len(self.parts)}"
        parts, tips = "".join(self.parts), ""
        for kind in ("", "first", "second"):
            if f"url(#tip{kind})" in parts:
                parts = parts.replace(f"url(#tip{kind})", f"url(#{name}{kind})")
                tips += (f'<marker id="{name}{kind}" viewBox="0 0 8 8" refX="7" refY="4" '
                         'markerUnits="userSpaceOnUse" markerWidth="10" markerHeight="10" '
                         'orient="auto-start-reverse">'
                         f'<path d="M0 0 L8 4 L0 8 z" class="tip {kind}"/></marker>')
        return (f'<figure class="{self.kind}"><svg role="img" '
                f'viewBox="0 0 {self.width} {self.height}" style="{STYLE}" '
                f'aria-label="{escape(self.title)}"><defs>{tips}</defs>{parts}</svg></figure>')



def bars(d: Drawing, x, bottom, shares, *names, nothing="cut", size=104, kind="first"):
    """A small bar chart: each share above its bar; `nothing` where it is 0."""
    width = size / len(shares)
    d.line((x - 2, bottom), (x + size + 2, bottom))
    for i, share in enumerate(shares):
        d.share(x + width * i + 2, bottom - 84 * share, width - 4, 84 * share, 1, kind)
        d.text(x + width * (i + 0.5), bottom - 84 * share - 5,
               f"{share + 1e-9:.2f}".removeprefix("0") if share else nothing)
    for i, name in enumerate(names):
        d.text(x + size / 2, bottom + 20 + 18 * i, name, "strong")
