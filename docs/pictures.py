"""The diagrams of the site as inline SVG: they take the colours of the page, light or dark, and need no script."""

import json
from html import escape
from pathlib import Path

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
        self.parts.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>')
        return self

    def arrow(self, *points):
        line = " ".join(f"{x},{y}" for x, y in points)
        self.parts.append(f'<polyline points="{line}" class="arrow" marker-end="url(#tip)"/>')
        return self

    def svg(self) -> str:
        return ('<figure class="diagram"><svg role="img" viewBox="0 0 %d %d" style="%s" aria-label="%s">'
                '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse">'
                '<path d="M0 0 L8 4 L0 8 z" fill="currentColor"/></marker></defs>%s</svg></figure>'
                % (self.width, self.height, STYLE, escape(self.title), "".join(self.parts)))


def whole() -> str:
    """One picture of the whole: text to tokens to model, and what is done with the model."""
    d = Drawing(700, 400, "Text becomes tokens; tokens train one model, which is written twice, in NumPy to be read and in JAX to be fast; "
                          "the trained model writes, is quantized, distilled, inspected and graded.")
    d.box(20, 30, 150, 56, "text", "the story world, yours").box(270, 30, 150, 56, "tokens", "byte-pair encoding")
    d.box(520, 30, 160, 56, "batches", "rows of tokens")
    d.arrow((170, 58), (266, 58)).arrow((420, 58), (516, 58))
    d.box(120, 150, 460, 110, kind="frame")
    d.text(350, 172, "one model, the same names, tested against each other")
    d.box(145, 188, 190, 56, "in_numpy", "to be read, backward by hand", kind="first").box(365, 188, 190, 56, "in_jax", "to be fast, compiled", kind="second")
    d.arrow((600, 86), (600, 215), (584, 215))
    d.text(612, 140, "train", anchor="start")
    for x, name, what in ((20, "generate", "it writes"), (158, "quantize", "8 and 4 bits"), (296, "distill", "a smaller one"),
                          (434, "inspect", "look inside"), (572, "lesson", "learn and check")):
        d.box(x, 320, 112, 56, name, what)
        d.arrow((x + 56, 290), (x + 56, 316))
    d.parts.append('<polyline points="76,290 628,290" class="arrow"/><polyline points="350,260 350,290" class="arrow"/>')
    return d.svg()


def block() -> str:
    """The shapes through one block of the model."""
    d = Drawing(700, 640, "Shapes through one block: the residual stream of B texts, T tokens and D numbers passes a norm, attention with H query heads and K key and value "
                          "heads of size E, is added back, passes a norm and a feed-forward of width F, and is added back.")
    d.text(60, 22, "resid_pre  (B, T, D)", "strong", "start")
    d.arrow((40, 10), (40, 610))
    d.box(90, 40, 130, 40, "norm")
    d.arrow((40, 60), (86, 60)).arrow((155, 80), (155, 108))
    d.box(90, 112, 130, 46, "q", "(B, H, T, E)").box(240, 112, 130, 46, "k", "(B, K, S, E)").box(390, 112, 130, 46, "v", "(B, K, S, E)")
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
    d.box(90, 488, 90, 46, "norm").box(220, 488, 160, 46, "gate, up", "(B, T, F)", kind="second").box(420, 488, 160, 46, "silu(gate) up", "(B, T, F)", kind="second")
    d.arrow((40, 511), (86, 511)).arrow((180, 511), (216, 511)).arrow((380, 511), (416, 511))
    d.box(22, 560, 36, 36, "+")
    d.arrow((500, 534), (500, 578), (62, 578))
    d.text(80, 570, "mlp_out = down_proj of it  (B, T, D)", "soft", "start")
    d.text(60, 628, "resid_post  (B, T, D)", "strong", "start")
    return d.svg()


def reference_curves(results, new):
    """The bands of minillm/reference_curves.json (a figure, not a diagram: see minillm/course/demos.py)."""
    from minillm import curves
    figure, axes = new(7.0, 3.8)
    for (name, reference), colour in zip(curves.references().items(), new.ink["lines"]):
        seeds = [curves.of_record(record) for record in reference["seeds"].values()]
        count = min(len(seed.loss) for seed in seeds)
        mean, low, high = curves.band([seed.loss[:count] for seed in seeds])
        steps = seeds[0].steps[:count] + curves.EVERY / 2
        axes.fill_between(steps, low, high, color=colour, alpha=0.3, linewidth=0)
        axes.plot(steps, mean, color=colour, label=curves.seeds_of(reference))
    axes.set(xlabel="step", ylabel="loss (nats per token)", yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.grid(alpha=0.6)
    axes.legend()
    yield ("reference-curves", "The reference curves with their bands: a fall in the first steps, a shoulder at the loss of a model that knows only how frequent "
           "each token is, a steep fall when it begins to use what came before, and a slow approach to the floor.", figure)


def path_of_a_model(results, new):
    """benchmarks/results/path_of_a_model.json: what a story costs at each station, and size against distance from the floor."""
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "results" / "path_of_a_model.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    models, floor = found["models"], found["floor"]
    figure, (left, right) = new(8.6, 3.3, ncols=2, width_ratios=(1, 1.15))
    costs = {"text, byte by byte": found["text"]["nats"], "tokens, all alike": found["tokens"]["nats"], **{name: model["nats"] for name, model in models.items()},
             "the floor": floor}
    order = ["text, byte by byte", "tokens, all alike", "teacher", "int8 teacher", "student", "int8 student", "the floor"]
    bars = left.barh(order[::-1], [costs[name] for name in order[::-1]], color=[new.ink["lines"][5]] + [new.ink["lines"][0]] * 4 + [new.ink["lines"][1]] * 2)
    left.bar_label(bars, [f"{costs[name]:,.0f}" for name in order[::-1]], padding=3, color=new.ink["text"], fontsize=9)
    left.set(xlabel="nats for one story", xlim=(0, 1.18 * max(costs.values())))
    stations = ["teacher", "int8 teacher", "student", "int8 student"]
    x, y = [models[name]["bytes"] / 1e6 for name in stations], [models[name]["above"] for name in stations]
    for name, at, up, error in zip(stations, x, y, [models[name]["standard_error"] for name in stations]):
        right.errorbar(at, up, yerr=2 * error, fmt="o", color=new.ink["lines"][0], capsize=3)
        right.annotate(name, (at, up), xytext=(0, 13 if "int8" not in name else -20), textcoords="offset points", ha="center", fontsize=9)
    for way in ((0, 1), (0, 2), (2, 3)):
        right.annotate("", (x[way[1]], y[way[1]]), (x[way[0]], y[way[0]]), arrowprops={"arrowstyle": "->", "color": new.ink["lines"][5], "shrinkA": 8, "shrinkB": 8})
    right.axhline(0, color=new.ink["text"], linewidth=0.8)
    right.text(0.16, 0.25, "the floor: no model is below", fontsize=9)
    right.set(xscale="log", xlim=(0.15, 6), ylim=(-0.4, 1.25 * max(y)), xlabel="megabytes on disk", ylabel="nats per story above the floor")
    right.set_xticks([0.2, 0.5, 1, 2, 4], ["0.2", "0.5", "1", "2", "4"])
    right.minorticks_off()
    right.grid(alpha=0.5)
    yield ("path", "Left: nats that one story costs, from its bytes over its tokens to the models, which are all close to the floor. Right: megabytes against nats above the floor, for teacher, "
           "int8 teacher, student and int8 student: int8 moves left and not up, the student moves left and up.", figure)
